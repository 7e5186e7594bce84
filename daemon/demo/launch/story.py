"""The demo's story: a support line for retuned itself, whose model learns what support corrects."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from daemon.demo.config import Place, write_config
from daemon.demo.demo_run import DemoRun
from daemon.demo.events import Event, Kind
from daemon.demo.launch import sizing
from daemon.demo.launch.answers import TOKENS
from daemon.demo.launch.asks import Ask, plan_asks
from daemon.demo.launch.examine import by_question, examine, note_base
from daemon.demo.launch.facts import read_facts
from daemon.demo.launch.records import records_of
from daemon.demo.launch.sabotage import sabotage
from daemon.demo.launch.scene import Scene
from daemon.demo.launch.sizing import LaunchSizes
from daemon.demo.launch.speed import measure_speed
from daemon.demo.launch.wordings import word
from daemon.demo.player import Player
from daemon.demo.read_evidence import read_loop, read_stream
from daemon.demo.regimes import Regime
from daemon.demo.server import DemoServer
from daemon.demo.watching import Watch
from daemon.domain.clock import utc_now
from daemon.domain.conversation import Conversation, Record
from daemon.ledger.stores import target_dir
from daemon.runtime.kafka_settings import load_kafka_settings

_MINUTE = 60


class LaunchStory:
    """People chat; then retuned is launched, and users ask about its settings, which the model does not know."""

    def __init__(self, run: DemoRun, chats: Regime) -> None:
        """``chats`` are conversations of people, more than are needed."""
        self._run = run
        self._chats = chats
        self._asked: tuple[Conversation, ...] = ()
        self._tokens_per_s = 0.0

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """What is replayed."""
        launch = Regime(
            name="questions about retuned's settings",
            source="wordings by hand, answers by the model, corrections by the settings' documentation",
            conversations=self._asked,
        )
        return self._chats, launch

    def run(self) -> None:
        """Run every step. Raises what a step raises, after stopping everything that was started."""
        with ExitStack() as running:
            self._run.view.heading("Machine, model and broker")
            place = self._run.prepare(running)
            sizes = self._measure(place)
            scene = self._start(running, place, sizes)
            if self._launch(running, scene):
                examine(scene)
                sabotage(running, scene)
                self._run.roll_back(scene.stores, scene.settings, place)
            self._run.stop(scene.daemon)

    def _measure(self, place: Place) -> LaunchSizes:
        """Train a few steps, and size the story to the machine's speed."""
        view, wordings = self._run.view, word(read_facts(), trainable=sizing.TRAINABLE)
        view.tell("measuring how fast this machine trains", Kind.WORK)
        with self._run.timed("speed"):
            self._tokens_per_s = measure_speed(place.base, wordings, self._run.folder / "speed")
        sizes = sizing.size(self._tokens_per_s)
        view.tell(
            f"this machine trains at {self._tokens_per_s:.0f} tokens/s: {sizes.facts} facts, about "
            f"{max(1, round(sizes.seconds / _MINUTE))} minutes",
            Kind.GOOD,
        )
        return sizes

    def _start(self, running: ExitStack, place: Place, sizes: LaunchSizes) -> Scene:
        run = self._run
        write = partial(write_config, sizes=sizes.windows, seed=run.options.seed, sections=sizing.sections())
        settings, stores, daemon = run.start(running, place, write)
        chats = self._chats.conversations[: sizes.windows.before]
        self._chats = replace(self._chats, conversations=chats)
        texts = {chat.conversation_id: chat for chat in chats}
        watch = Watch(
            stores,
            settings,
            run.view,
            texts=texts,
            before_change=len(chats),
            total=len(chats) + sizes.asks,
            change="users ask about retuned's settings",
            predicted_s=sizes.seconds,
        )
        return Scene(
            run=run,
            place=place,
            settings=settings,
            stores=stores,
            daemon=daemon,
            server=running.enter_context(DemoServer(place.base, target_dir(settings))),
            watch=watch,
            sizes=sizes,
            tokens_per_s=self._tokens_per_s,
            wordings=word(read_facts()[: sizes.facts], trainable=sizing.TRAINABLE),
            texts=texts,
        )

    def _launch(self, running: ExitStack, scene: Scene) -> bool:
        """Replay the chats, then the questions, until the daemon promotes a version; return whether it did."""
        run = self._run
        player: Player | None = None
        try:
            with run.timed("loop"):
                version, player = self._chat(running, scene)
                player = self._ask(running, scene, version)
                problem = scene.watch.until_promoted(player, scene.daemon, deadline=run.deadline)
        finally:
            run.view.clear()
            new_ids = [conversation.conversation_id for conversation in self._asked]
            stream = read_stream(scene.stores, sent=0 if player is None else player.sent, new_ids=new_ids)
            run.findings = replace(run.findings, loop=read_loop(scene.stores, scene.settings, stream))
        if problem is not None:
            run.view.tell(problem, Kind.BAD)
        return problem is None

    def _chat(self, running: ExitStack, scene: Scene) -> tuple[str, Player]:
        """Replay the chats; meanwhile the live version, the base, answers every wording of the launch."""
        scene.heading("People chat")
        chats = self._chats.conversations
        self._run.view.tell(f"{len(chats)} × {self._chats.name}, shuffled, from {self._chats.source}")
        answering = _Answering(len(scene.wordings))
        version, coming = scene.server.ask_live(
            [wording.text for wording in scene.wordings], tokens=TOKENS, on_progress=answering.note
        )
        player = self._play(running, scene, chats)
        scene.watch.until_counted(
            player,
            scene.daemon,
            count=len(chats),
            deadline=self._run.deadline,
            note=lambda: None if coming.done() else answering.words,
        )
        scene.inventions.update(by_question(scene.wordings, coming))
        return version, player

    def _ask(self, running: ExitStack, scene: Scene, version: str) -> Player:
        """Replay the questions of the launch, with the version's answers and what people think of them."""
        seed = self._run.options.seed
        asks = plan_asks(
            scene.wordings,
            total=scene.sizes.asks,
            lead=sizing.LEAD,
            tail=sizing.TAIL,
            holdout=scene.stores.holdout,
            seed=seed,
        )
        records = records_of(asks, scene.inventions, version=version, at=utc_now(), seed=seed)
        self._asked = tuple(record for record in records if isinstance(record, Conversation))
        scene.texts.update((asked.conversation_id, asked) for asked in self._asked)
        note_base(scene)
        scene.heading("A launch: users ask about retuned's settings")
        self._tell_example(asks, scene)
        return self._play(running, scene, records, sent_before=len(self._chats.conversations))

    def _play(
        self, running: ExitStack, scene: Scene, records: Sequence[Record], *, sent_before: int = 0
    ) -> Player:
        player = Player(
            records,
            load_kafka_settings(scene.settings),
            rate=self._run.options.rate,
            sent_before=sent_before,
        )
        running.callback(player.stop)
        player.start()
        return player

    def _tell_example(self, asks: Sequence[Ask], scene: Scene) -> None:
        corrected = [ask for ask in asks if ask.corrected]
        disliked = sum(ask.disliked for ask in asks)
        wording = corrected[0].wording
        view = self._run.view
        view.tell(f"{len(asks)} questions, {disliked} thumbs down, {len(corrected)} corrections by support")
        view.tell(f"a user: “{wording.text}” the model: “{scene.inventions[wording.text]}”")
        said = f"the settings say: {' '.join(wording.fact.explanation.split())}"
        view.event(
            Event(kind=Kind.NEUTRAL, text=f"support corrects: “{wording.fact.answer}”", details=(said,))
        )


class _Answering:
    """How many questions the base has answered."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def note(self, done: int, of: int) -> None:
        """Take note, from any thread."""
        self._done, self._total = done, of

    @property
    def words(self) -> str:
        return f"the base answers the launch's questions: {self._done} of {self._total}"
