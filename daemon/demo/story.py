"""The steps of the demo, from the first conversation to the rollback."""

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from daemon.config.settings import Settings
from daemon.demo import summary
from daemon.demo.base_model import NAME, prepare_base
from daemon.demo.broker import LocalBroker
from daemon.demo.checks import QUESTIONS, Findings
from daemon.demo.children import DaemonProcess
from daemon.demo.config import CONFIG_FILE, Place, write_config
from daemon.demo.durations import duration_text
from daemon.demo.errors import OutOfTime
from daemon.demo.events import Kind
from daemon.demo.evidence import RollbackFact, StopFact
from daemon.demo.options import DemoOptions
from daemon.demo.player import Player
from daemon.demo.probe import free_port
from daemon.demo.questions import choose_questions
from daemon.demo.read_evidence import read_loop, read_stream
from daemon.demo.regimes import Change
from daemon.demo.rollback import roll_back
from daemon.demo.server import DemoServer
from daemon.demo.view import View
from daemon.demo.watching import Watch
from daemon.kafka import create_topic
from daemon.ledger.stores import Stores, open_stores, target_dir
from daemon.runtime.kafka_settings import load_kafka_settings

_READY_WITHIN_S = 180.0
_EVERY_S = 0.2


class Story:
    """One demo. ``findings`` and ``seconds`` hold the results so far, also after a step fails."""

    def __init__(self, options: DemoOptions, change: Change, view: View, *, folder: Path) -> None:
        self.options = options
        self.change = change
        self.view = view
        self.folder = folder
        self.findings = Findings()
        self.seconds: dict[str, float] = {}
        self.settings: Settings | None = None
        self._deadline = time.monotonic() + options.timeout_s

    @property
    def logs(self) -> str:
        """The child processes' log files, for people."""
        return f"{self.folder}/*.log"

    def run(self) -> None:
        """Run every step. Raises what a step raises, after stopping everything that was started."""
        with ExitStack() as running:
            place = self._prepare(running)
            settings, daemon = self._start(running, place)
            stores = open_stores(settings)
            running.callback(stores.engine.dispose)
            if self._loop(running, stores, settings, daemon):
                self._ask(running, stores, settings, place)
            self._stop(daemon)

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
            "start": self.seconds.get("start"),
            "replay_to_promotion": self.seconds.get("loop"),
            "change_to_alarm": loop.stream.delay_s if loop else None,
            "training": loop.training.seconds if loop and loop.training else None,
            "gate": loop.gate_s if loop else None,
            "questions": self.seconds.get("questions"),
            "rollback": self.seconds.get("rollback"),
            "stop": self.seconds.get("stop"),
            "total": self.view.elapsed_s,
        }
        return {name: value for name, value in found.items() if value is not None}

    def forget(self) -> None:
        """Delete the work folder, unless the user chose it."""
        if self.options.workdir is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare(self, running: ExitStack) -> Place:
        self.view.heading("Conversations, model and broker")
        for regime in (self.change.first, self.change.second):
            self.view.tell(f"{len(regime.conversations)} × {regime.name}, shuffled, from {regime.source}")
        with self._timed("model"):
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

    def _start(self, running: ExitStack, place: Place) -> tuple[Settings, DaemonProcess]:
        self.view.heading("The daemon starts")
        self.settings = settings = write_config(place, self.change.sizes, seed=self.options.seed)
        self.view.show(Text(place.config.read_text(encoding="utf-8"), style="dim"))
        kafka = load_kafka_settings(settings)
        for topic in (kafka.topic, kafka.dead_letter_topic):
            create_topic(kafka, topic, partitions=1)
        with self._timed("start"):
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
        return settings, daemon

    def _loop(self, running: ExitStack, stores: Stores, settings: Settings, daemon: DaemonProcess) -> bool:
        """Replay the conversations until the daemon promotes a version; return whether it did."""
        self.view.heading("Real conversations arrive")
        player = Player(self.change.stream, load_kafka_settings(settings), rate=self.options.rate)
        running.callback(player.stop)
        new_ids = frozenset(conversation.conversation_id for conversation in self.change.second.conversations)
        texts = {conversation.conversation_id: conversation for conversation in self.change.stream}
        watch = Watch(stores, settings, self.view, conversations=texts, new_ids=new_ids)
        player.start()
        try:
            with self._timed("loop"):
                problem = watch.until_promoted(player, daemon, deadline=self._deadline)
        finally:
            self.view.clear()
            stream = read_stream(stores, sent=player.sent, new_ids=new_ids)
            self.findings = replace(self.findings, loop=read_loop(stores, settings, stream))
        if problem is not None:
            self.view.tell(problem, Kind.BAD)
        return problem is None

    def _ask(self, running: ExitStack, stores: Stores, settings: Settings, place: Place) -> None:
        """Ask both versions, roll back, and ask the live version again."""
        self.view.heading("Three held-out questions, to the base and to the live version")
        questions = choose_questions(
            self.change.second.conversations, stores.holdout, seed=self.options.seed, count=QUESTIONS
        )
        server = running.enter_context(DemoServer(place.base, target_dir(settings)))
        with self._timed("questions"):
            answers, live = server.compare(questions)
        self.findings = replace(self.findings, answers=answers)
        self.view.show(
            summary.answers(answers, base=f"{settings.model_line}-v0 (base)", live=f"{live} (live)")
        )
        self.view.heading("An operator rolls back")
        with self._timed("rollback"):
            rollback = roll_back(stores, settings, place.config, self.folder / "rollback.log")
        self.findings = replace(self.findings, rollback=rollback)
        self._tell_rollback(rollback)
        if questions:
            again = server.live(questions[0])
            same = " as the base did" if again.text == answers[0].base else ""
            self.view.tell(
                f"the server now answers the first question with {again.version}{same}: “{again.text}”"
            )

    def _tell_rollback(self, rollback: RollbackFact) -> None:
        self.view.tell(f"$ {rollback.command}", Kind.WORK)
        self.view.tell(
            f"{rollback.live_pointer} is live again: live.json {duration_text(rollback.pointer_s)} after the command "
            f"began, the daemon's metrics {duration_text(rollback.metrics_s)}",
            Kind.GOOD if rollback.exit_status == 0 else Kind.BAD,
        )

    def _stop(self, daemon: DaemonProcess) -> None:
        with self._timed("stop"):
            stopped = daemon.stop()
        self.findings = replace(
            self.findings, stop=StopFact(seconds=stopped.seconds, exit_status=stopped.exit_status)
        )
        self.view.tell(
            f"SIGTERM: the daemon stopped after {duration_text(stopped.seconds)} with status {stopped.exit_status}"
        )

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - started
