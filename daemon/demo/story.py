"""The demo on conversations of one's own: a change of topic, from the first conversation to the rollback."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from daemon.config.settings import Settings
from daemon.demo import summary
from daemon.demo.checks import QUESTIONS
from daemon.demo.children import DaemonProcess
from daemon.demo.config import Place, write_config
from daemon.demo.demo_run import DemoRun
from daemon.demo.events import Kind
from daemon.demo.player import Player
from daemon.demo.questions import choose_questions
from daemon.demo.read_evidence import read_loop, read_stream
from daemon.demo.regimes import Change, Regime
from daemon.demo.server import DemoServer
from daemon.demo.watching import Watch
from daemon.ledger.stores import Stores, target_dir
from daemon.runtime.kafka_settings import load_kafka_settings


class RegimesStory:
    """Conversations about one thing, then about another; a version learns the new ones."""

    def __init__(self, run: DemoRun, change: Change) -> None:
        self._run = run
        self._change = change

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """What is replayed."""
        return self._change.first, self._change.second

    def run(self) -> None:
        """Run every step. Raises what a step raises, after stopping everything that was started."""
        with ExitStack() as running:
            self._run.view.heading("Conversations, model and broker")
            for regime in self.regimes:
                self._run.view.tell(
                    f"{len(regime.conversations)} × {regime.name}, shuffled, from {regime.source}"
                )
            place = self._run.prepare(running)
            write = partial(write_config, sizes=self._change.sizes, seed=self._run.options.seed)
            settings, stores, daemon = self._run.start(running, place, write)
            if self._loop(running, stores, settings, daemon):
                self._ask(running, stores, settings, place)
            self._run.stop(daemon)

    def _loop(self, running: ExitStack, stores: Stores, settings: Settings, daemon: DaemonProcess) -> bool:
        """Replay the conversations until the daemon promotes a version; return whether it did."""
        run = self._run
        run.view.heading("Real conversations arrive")
        player = Player(self._change.stream, load_kafka_settings(settings), rate=run.options.rate)
        running.callback(player.stop)
        new_ids = frozenset(
            conversation.conversation_id for conversation in self._change.second.conversations
        )
        texts = {conversation.conversation_id: conversation for conversation in self._change.stream}
        watch = Watch(
            stores,
            settings,
            run.view,
            texts=texts,
            before_change=len(self._change.first.conversations),
            total=len(self._change.stream),
        )
        player.start()
        try:
            with run.timed("loop"):
                problem = watch.until_promoted(player, daemon, deadline=run.deadline)
        finally:
            run.view.clear()
            stream = read_stream(stores, sent=player.sent, new_ids=new_ids)
            run.findings = replace(run.findings, loop=read_loop(stores, settings, stream))
        if problem is not None:
            run.view.tell(problem, Kind.BAD)
        return problem is None

    def _ask(self, running: ExitStack, stores: Stores, settings: Settings, place: Place) -> None:
        """Ask both versions, roll back, and ask the live version again."""
        run = self._run
        run.view.heading("Three held-out questions, to the base and to the live version")
        questions = choose_questions(
            self._change.second.conversations, stores.holdout, seed=run.options.seed, count=QUESTIONS
        )
        server = running.enter_context(DemoServer(place.base, target_dir(settings)))
        with run.timed("questions"):
            answers, live = server.compare(questions)
        run.findings = replace(run.findings, answers=answers)
        run.view.show(
            summary.answers(answers, base=f"{settings.model_line}-v0 (base)", live=f"{live} (live)")
        )
        run.roll_back(stores, settings, place)
        if questions:
            again = server.live(questions[0])
            same = " as the base did" if again.text == answers[0].base else ""
            run.view.tell(
                f"the server now answers the first question with {again.version}{same}: “{again.text}”"
            )
