"""A second, different broker: librdkafka's mock, in a process of its own (``python -m tests.servers.mock_broker``).

Python's bindings start the mock, but only C makes and deletes its topics; so the bindings' library is called itself.
"""

import ctypes
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import confluent_kafka

_ROOT = Path(__file__).parents[2]
_PRODUCER = 0


class MockBrokerError(Exception):
    """The mock did not do what it was told."""


class MockBroker:
    """One mock broker. It ends with this process: its input ends then."""

    def __init__(self) -> None:
        self.bootstrap = ""
        self._process: subprocess.Popen[str] | None = None

    def create(self, topic: str, *, partitions: int) -> None:
        """Make a topic."""
        self._tell(f"create {topic} {partitions}")

    def delete(self, topic: str) -> None:
        """Delete a topic with its records."""
        self._tell(f"delete {topic}")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.mock_broker"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.bootstrap = self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.communicate(timeout=10)

    def _tell(self, command: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        if (answer := self._answer()) != "done":
            raise MockBrokerError(f"{command}: {answer}")

    def _answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _library() -> ctypes.CDLL:
    """Load librdkafka from the bindings' wheel, and declare what is called (rdkafka_mock.h)."""
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*.so*"))))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        ("rd_kafka_mock_topic_delete", number, [pointer, text]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main() -> None:
    """Start the mock, print its address, and make and delete topics as told until the input ends."""
    library = _library()
    reason = ctypes.create_string_buffer(512)
    client = library.rd_kafka_new(_PRODUCER, library.rd_kafka_conf_new(), reason, len(reason))
    cluster = library.rd_kafka_mock_cluster_new(client, 1)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    _say(library.rd_kafka_mock_cluster_bootstraps(cluster).decode())
    for line in sys.stdin:
        match line.split():
            case ["create", topic, partitions]:
                code = library.rd_kafka_mock_topic_create(cluster, topic.encode(), int(partitions), 1)
            case ["delete", topic]:
                code = library.rd_kafka_mock_topic_delete(cluster, topic.encode())
            case _:
                code = -1
        _say("done" if code == 0 else f"error {code}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
