import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Thread
from typing import Any

import pytest

from daemon.telemetry.log_context import carried, inherit_identity, log_identity
from daemon.telemetry.logs import configure_logging


class Log:
    """What is logged, as JSON lines."""

    def __init__(self) -> None:
        self._stream = StringIO()
        configure_logging("DEBUG", "json", stream=self._stream, model_line="first")

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    def lines(self) -> list[tuple[str, str | None, str | None]]:
        return [(each["message"], each.get("model_line"), each.get("run")) for each in self.records()]


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Log()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def say(text: str, logger: str = "daemon.test", **extra: str) -> None:
    logging.getLogger(logger).warning(text, extra=extra)


def test_records_of_a_thread_say_its_line_and_what_it_is_at(log: Log) -> None:
    say("before")
    with log_identity(model_line="second"), log_identity(run="r3"):
        say("within")
        say("of another run", run="r4")
    say("after")

    assert log.lines() == [
        ("before", "first", None),
        ("within", "second", "r3"),
        ("of another run", "second", "r4"),
        ("after", "first", None),
    ]


def test_records_of_libraries_and_warnings_say_it_too(log: Log) -> None:
    with log_identity(model_line="second"):
        say("odd", logger="some.library")
        say("old", logger="py.warnings")

    assert [record["model_line"] for record in log.records()] == ["second", "second"]


def test_threads_of_one_line_do_not_take_the_other_lines_name(log: Log) -> None:
    def line(name: str) -> None:
        with log_identity(model_line=name):
            for _ in range(50):
                say(name)

    threads = [Thread(target=line, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(log.records()) == 100
    assert all(message == model_line for message, model_line, _ in log.lines())


def test_threads_that_a_line_starts_are_its_own(log: Log) -> None:
    with log_identity(model_line="second"):
        thread = Thread(target=carried(say), args=("thread",))
        pool = ThreadPoolExecutor(max_workers=1, initializer=inherit_identity())
    thread.start()
    thread.join()
    with pool:
        pool.submit(say, "pool").result()

    assert log.lines() == [("thread", "second", None), ("pool", "second", None)]
