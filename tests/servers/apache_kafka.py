"""Apache Kafka itself, in KRaft mode on free loopback ports: one node or several, to kill, stop and freeze one by one."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.helpers import missing

_ROOT = Path(__file__).parents[2]
_CACHE = _ROOT / ".cache" / "kafka"
#: Maven's coordinates of the broker; its property ``kafka.version`` is the version that tests run on.
_POM = Path(__file__).with_name("pom.xml")
#: Runs the suites on another release, such as 3.9.2.
VERSION = os.environ.get("RETUNED_TEST_KAFKA_RELEASE", "4.4.0")

_PROGRAMS = {"java": "openjdk-17-jre-headless", "mvn": "maven"}  # and Debian's package of each
_CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
_START_S, _STOP_S, _DOWNLOAD_S = 60.0, 20.0, 300.0
_QUICK_START = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
#: What a small cluster needs, and short waits: groups form at once, and sessions may be as short as tests want them.
_SMALL = {
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "transaction.max.timeout.ms": "3600000",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


class ApacheKafkaError(Exception):
    """A node did not start or did not do what it was told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """A listener beside the plain one. ``settings`` are its own, below ``listener.name.NAME``."""

    name: str
    protocol: str  # SSL, SASL_PLAINTEXT, SASL_SSL or PLAINTEXT
    settings: Mapping[str, str] = field(default_factory=dict)


class Node:
    """One broker, which is a controller too."""

    def __init__(self, number: int, folder: Path, libraries: Path, *, options: Sequence[str]) -> None:
        self.number = number
        self._folder = folder
        self._libraries = libraries
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the broker printed, over all its starts."""
        return self._folder / "log"

    def format(self, *options: str) -> None:
        """Prepare its empty folder, as ``kafka-storage.sh format`` does."""
        command = self._java(
            "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._settings_file), *options
        )
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_S, check=False)
        if done.returncode:
            raise ApacheKafkaError(f"node {self.number} was not formatted: {done.stdout}{done.stderr}")

    def launch(self) -> None:
        """Start the process, without waiting for anything."""
        wrapper = [sys.executable, "-m", "monitors.parent_death", str(os.getpid())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*wrapper, *self._java("kafka.Kafka", str(self._settings_file))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=_ROOT,
            )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it takes part in the cluster."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        self.launch()
        self.await_start(begin)

    def await_start(self, begin: int = 0) -> None:
        """Wait for its word that it has started, in what it printed from byte ``begin`` on."""
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while b"Kafka Server started" not in self.log.read_bytes()[begin:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                output = self.log.read_text(errors="replace")[-3_000:]
                self.kill()
                raise ApacheKafkaError(f"node {self.number} did not start; its log ends:\n{output}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it, like a crash."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Shut it down in order; kill it if that takes too long."""
        self._end(signal.SIGTERM)

    def tool(self, name: str, *arguments: str) -> None:
        """Run one of the command-line tools, by the name of its class."""
        done = subprocess.run(
            self._java(name, *arguments), capture_output=True, text=True, timeout=_START_S, check=False
        )
        if done.returncode:
            raise ApacheKafkaError(f"{name} {arguments}: {done.stdout}{done.stderr}")

    def freeze(self) -> None:
        """Stop its clock: it answers nothing, and its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)  # a frozen one can't end
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def _settings_file(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, *arguments: str) -> list[str]:
        # First what prints: releases before 4 bring another binding, which is silent without a file of its own.
        [prints] = self._libraries.glob("slf4j-simple-*.jar")
        path = f"{prints}:{self._libraries}/*"
        return [shutil.which("java") or "java", *self._options, "-cp", path, *arguments]


class ApacheKafka:
    """A cluster whose nodes know each other. Its data are gone with it.

    A plain listener, on which everyone is a superuser, is always there; ``listeners`` are further ones.
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        version: str = VERSION,
        settings: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        java_options: Sequence[str] = ("-Xmx300m", *_QUICK_START),
        format_options: Sequence[str] = (),
    ) -> None:
        """``settings`` are properties of the broker, added last."""
        self.version = version
        self._count = nodes
        self._settings = settings or {}
        self._listeners = listeners
        self._java_options = java_options
        self._format_options = format_options
        self._folder: Path | None = None
        self._ports: dict[tuple[int, str], int] = {}
        self.nodes: tuple[Node, ...] = ()

    @property
    def bootstrap(self) -> str:
        """The addresses of the plain listener, one a node."""
        return self.address("PLAINTEXT")

    def address(self, listener: str) -> str:
        """The addresses of a listener, one a node."""
        return ",".join(f"127.0.0.1:{self._ports[number, listener]}" for number in self._numbers)

    def start(self) -> Self:
        """Download the release if it is not there yet, prepare the nodes, and wait until all of them run."""
        libraries = libraries_of(self.version)
        self._folder = Path(tempfile.mkdtemp(prefix="retuned-kafka-"))
        names = ("PLAINTEXT", "CONTROLLER", *(listener.name for listener in self._listeners))
        self._ports = _free_ports([(number, name) for number in self._numbers for name in names])
        self.nodes = tuple(self._node(number, libraries) for number in self._numbers)
        try:
            for node in self.nodes:
                node.format(*self._format_options)
                node.launch()
            for node in self.nodes:
                node.await_start()
        except BaseException:
            self.stop()
            raise
        return self

    def kill(self) -> None:
        """Kill all nodes, like a power cut."""
        for node in self.nodes:
            node.kill()

    def stop(self) -> None:
        """End all nodes at once, and remove their data."""
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _numbers(self) -> range:
        return range(1, self._count + 1)

    def _node(self, number: int, libraries: Path) -> Node:
        assert self._folder is not None
        folder = self._folder / f"node-{number}"
        folder.mkdir()
        lines = [f"{name}={value}" for name, value in self._properties(number, folder).items()]
        (folder / "server.properties").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Node(number, folder, libraries, options=self._java_options)

    def _properties(self, number: int, folder: Path) -> dict[str, str]:
        copies = str(min(3, self._count))
        shown = {"PLAINTEXT": "PLAINTEXT", **{one.name: one.protocol for one in self._listeners}}
        bound = {name: f"{name}://127.0.0.1:{self._ports[number, name]}" for name in (*shown, "CONTROLLER")}
        voters = (f"{one}@127.0.0.1:{self._ports[one, 'CONTROLLER']}" for one in self._numbers)
        own = {
            f"listener.name.{one.name.lower()}.{name}": value
            for one in self._listeners
            for name, value in one.settings.items()
        }
        return {
            "process.roles": "broker,controller",
            "node.id": str(number),
            "controller.quorum.voters": ",".join(voters),
            "listeners": ",".join(bound.values()),
            "advertised.listeners": ",".join(bound[name] for name in shown),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in {**shown, "CONTROLLER": "PLAINTEXT"}.items()
            ),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(folder / "data"),
            "default.replication.factor": copies,
            "min.insync.replicas": "2" if self._count > 2 else "1",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "2" if self._count > 2 else "1",
            **_SMALL,
            **own,
            **self._settings,
        }


def is_installable() -> bool:
    """Return whether this machine has what it takes: Java and Maven."""
    return all(shutil.which(program) for program in _PROGRAMS)


def libraries_of(version: str) -> Path:
    """Return the folder with a release's libraries, downloaded once with Maven; ``missing`` without Java or Maven."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            missing(program, f"apt-get install {package}")
    folder = _CACHE / version
    with _download_lock():
        if not folder.exists():
            _download(version, folder)
    return folder


@contextmanager
def _download_lock() -> Iterator[None]:
    """Let one process download at a time: tests run in several."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(version: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_CACHE) as partial:
        command = [
            "mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies",
            f"-DoutputDirectory={partial}/libraries", f"-Dkafka.version={version}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False)
        if done.returncode:
            raise ApacheKafkaError(f"Maven did not get Apache Kafka {version}: {done.stdout[-2_000:]}")
        Path(partial, "libraries").rename(folder)


def _free_ports(wanted: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Return a free port for each, all different: they are held together until all are known."""
    probes = {key: socket.create_server(("127.0.0.1", 0)) for key in wanted}
    ports = {key: int(probe.getsockname()[1]) for key, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return ports
