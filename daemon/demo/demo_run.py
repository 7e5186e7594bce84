"""What every demo does, whatever its story: prepares model and broker, runs the daemon, rolls back and stops."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from daemon.config.settings import Settings
from daemon.demo.base_model import NAME, prepare_base
from daemon.demo.broker import LocalBroker
from daemon.demo.checks import Findings
from daemon.demo.children import DaemonProcess
from daemon.demo.config import CONFIG_FILE, Place
from daemon.demo.durations import duration_text
from daemon.demo.errors import OutOfTime
from daemon.demo.events import Kind
from daemon.demo.evidence import StopFact
from daemon.demo.options import DemoOptions
from daemon.demo.probe import free_port
from daemon.demo.rollback import roll_back
from daemon.demo.view import View
from daemon.kafka import create_topic
from daemon.ledger.stores import Stores, open_stores
from daemon.runtime.kafka_settings import load_kafka_settings

_READY_WITHIN_S = 180.0
_EVERY_S = 0.2


class DemoRun:
    """One demo. ``findings`` and ``seconds`` hold the results so far, also after a step fails."""

    def __init__(self, options: DemoOptions, view: View, *, folder: Path) -> None:
        self.options = options
        self.view = view
        self.folder = folder
        self.findings = Findings()
        self.seconds: dict[str, float] = {}
        self.settings: Settings | None = None
        self.deadline = time.monotonic() + options.timeout_s  # on the monotonic clock

    @property
    def logs(self) -> str:
        """The child processes' log files, for people."""
        return f"{self.folder}/*.log"

    @property
    def config_text(self) -> str:
        """The daemon's settings file; empty before it is written."""
        path = self.folder / CONFIG_FILE
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def durations(self) -> dict[str, float]:
        """Return the seconds of each part so far; change_to_alarm, training and gate are parts of replay_to_promotion."""
        loop = self.findings.loop
        found = {
            "model": self.seconds.get("model"),
            "speed": self.seconds.get("speed"),
            "start": self.seconds.get("start"),
            "replay_to_promotion": self.seconds.get("loop"),
            "change_to_alarm": loop.stream.delay_s if loop else None,
            "training": loop.training.seconds if loop and loop.training else None,
            "gate": loop.gate_s if loop else None,
            "questions": self.seconds.get("questions"),
            "sabotage": self.seconds.get("sabotage"),
            "rollback": self.seconds.get("rollback"),
            "stop": self.seconds.get("stop"),
            "total": self.view.elapsed_s,
        }
        return {name: value for name, value in found.items() if value is not None}

    def forget(self) -> None:
        """Delete the work folder, unless the user chose it."""
        if self.options.workdir is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self, running: ExitStack) -> Place:
        """Convert the model where that is needed, and start a broker unless one was named."""
        with self.timed("model"):
            base = prepare_base(
                self.options.model,
                cache=self.options.cache,
                log=self.folder / "model.log",
                tell=self.view.tell,
            )
        self.view.tell(f"model: {self.options.model or NAME}, in {base}")
        if (servers := self.options.bootstrap_servers) is not None:
            topic = f"retuned-demo-{uuid.uuid4().hex[:8]}"
            self.view.tell(
                f"the broker at {servers} gets the topics {topic} and {topic}.dead, and keeps them"
            )
            return Place(folder=self.folder, bootstrap=servers, http_port=free_port(), base=base, topic=topic)
        broker = running.enter_context(LocalBroker())
        self.view.tell(f"a Kafka-compatible broker listens on {broker.bootstrap}")
        return Place(folder=self.folder, bootstrap=broker.bootstrap, http_port=free_port(), base=base)

    def start(
        self, running: ExitStack, place: Place, write: Callable[[Place], Settings]
    ) -> tuple[Settings, Stores, DaemonProcess]:
        """Write the settings by ``write``, start the daemon and wait until it is ready. Raises OutOfTime."""
        self.view.heading("The daemon starts")
        self.settings = settings = write(place)
        self.view.show(Text(place.config.read_text(encoding="utf-8"), style="dim"))
        kafka = load_kafka_settings(settings)
        for topic in (kafka.topic, kafka.dead_letter_topic):
            create_topic(kafka, topic, partitions=1)
        with self.timed("start"):
            daemon = DaemonProcess(place.config, self.folder / "daemon.log", settings.http)
            daemon.start()
            running.callback(daemon.stop)
            self.view.tell(f"retuned run --config {place.config}", Kind.WORK)
            deadline = time.monotonic() + _READY_WITHIN_S
            while not daemon.ready():
                if time.monotonic() > deadline:
                    raise OutOfTime(
                        f"the daemon was not ready within {_READY_WITHIN_S:.0f} s; see {daemon.log}"
                    )
                time.sleep(_EVERY_S)
        self.view.tell(f"ready; metrics on http://127.0.0.1:{place.http_port}/metrics", Kind.GOOD)
        stores = open_stores(settings)
        running.callback(stores.engine.dispose)
        return settings, stores, daemon

    def roll_back(self, stores: Stores, settings: Settings, place: Place) -> None:
        """Roll back as an operator would."""
        self.view.heading("An operator rolls back")
        with self.timed("rollback"):
            rollback = roll_back(stores, settings, place.config, self.folder / "rollback.log")
        self.findings = replace(self.findings, rollback=rollback)
        self.view.tell(f"$ {rollback.command}", Kind.WORK)
        self.view.tell(
            f"{rollback.live_pointer} is live again: live.json {duration_text(rollback.pointer_s)} after the command "
            f"began, the daemon's metrics {duration_text(rollback.metrics_s)}",
            Kind.GOOD if rollback.exit_status == 0 else Kind.BAD,
        )

    def stop(self, daemon: DaemonProcess) -> None:
        """Stop the daemon as an init system would."""
        with self.timed("stop"):
            stopped = daemon.stop()
        self.findings = replace(
            self.findings, stop=StopFact(seconds=stopped.seconds, exit_status=stopped.exit_status)
        )
        self.view.tell(
            f"SIGTERM: the daemon stopped after {duration_text(stopped.seconds)} with status {stopped.exit_status}"
        )

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long a part takes."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - started
