"""A saboteur among support corrects right answers to those that users disliked; the gate refuses what learns from them."""

from contextlib import ExitStack
from dataclasses import replace

from daemon.demo.command import command_text, run_command
from daemon.demo.events import Kind
from daemon.demo.launch.answers import TOKENS, shown
from daemon.demo.launch.asks import Ask, plan_sabotage
from daemon.demo.launch.evidence import SabotageFact
from daemon.demo.launch.records import conversation_of
from daemon.demo.launch.scene import Scene
from daemon.demo.launch.sizing import SABOTAGED
from daemon.demo.player import Player
from daemon.demo.rollback import pointer
from daemon.domain.clock import utc_now
from daemon.domain.conversation import Conversation, Feedback
from daemon.runtime.kafka_settings import load_kafka_settings

_ORDER = ("train", "-m", "demo: sabotage")


def sabotage(running: ExitStack, scene: Scene) -> None:
    """Send wrong corrections, have a version trained on them, and wait for the gate.

    Raises OutOfTime, StartFailed, ReplayFailed, DaemonEnded, LearnerError.
    """
    run, before = scene.run, pointer(scene.settings) or ""
    scene.heading("A saboteur among support")
    asks = plan_sabotage(scene.wordings, total=SABOTAGED, holdout=scene.stores.holdout, seed=run.options.seed)
    with run.timed("sabotage"):
        player = _send(running, scene, asks)
        run.view.tell(
            f"{len(asks)} right answers are “corrected” to what users disliked, and nobody notices", Kind.WORK
        )
        run_command(_ORDER, config=scene.place.config, log=run.folder / "train.log")
        run.view.tell(f"$ {command_text(_ORDER)}", Kind.WORK)
        candidate = scene.watch.until_judged(player, scene.daemon, after=before, deadline=run.deadline)
    run.view.clear()
    report = candidate.report if candidate else None
    fact = SabotageFact(
        corrections=len(asks),
        candidate=str(candidate.name) if candidate else None,
        verdict=report.verdict if report else None,
        reason=report.reason if report else "no version came of it",
        live=pointer(scene.settings),
        live_before=before,
    )
    run.findings = replace(run.findings, sabotage=fact)


def _send(running: ExitStack, scene: Scene, asks: tuple[Ask, ...]) -> Player:
    """Send the questions with the live version's answers and the wrong corrections; wait until they are counted."""
    version, coming = scene.server.ask_live(
        [ask.wording.text for ask in asks], tokens=TOKENS, on_progress=lambda _, __: None
    )
    answers = {ask.wording.text: shown(answer) for ask, answer in zip(asks, coming.result(), strict=True)}
    records = [_corrected(scene, ask, answers, version) for ask in asks]
    sent_before = len(scene.texts)
    scene.texts.update((record.conversation_id, record) for record in records)
    player = Player(
        records,
        load_kafka_settings(scene.settings),
        rate=scene.run.options.rate,
        sent_before=sent_before,
    )
    running.callback(player.stop)
    player.start()
    scene.watch.until_counted(
        player, scene.daemon, count=sent_before + len(records), deadline=scene.run.deadline
    )
    return player


def _corrected(scene: Scene, ask: Ask, answers: dict[str, str], version: str) -> Conversation:
    wrong = Feedback(correction=scene.inventions[ask.wording.text])
    return conversation_of(ask, answers, version=version, at=utc_now(), feedback=wrong)
