"""Asks the base and the promoted version what nobody trained on, and compares their answers with support's."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from daemon.demo import summary
from daemon.demo.checks import QUESTIONS
from daemon.demo.events import Kind
from daemon.demo.evidence import AnswerFact
from daemon.demo.launch.answers import TOKENS, mark, shown
from daemon.demo.launch.evidence import LessonsFact, Marks
from daemon.demo.launch.scene import Scene
from daemon.demo.launch.wordings import Wording
from learners.types import Answer


def by_question(wordings: Sequence[Wording], answers: "Future[list[Answer]]") -> dict[str, str]:
    """Wait for the answers and return them as users see them. Raises LearnerError."""
    return {wordings[int(answer.id)].text: shown(answer) for answer in answers.result()}


def note_base(scene: Scene) -> None:
    """Note what the base knows of held-out wordings, from the answers that it gave users."""
    _note(scene, mark(_held_out(scene), scene.inventions), None)


def examine(scene: Scene) -> None:
    """Ask the live version every held-out wording, and show its answers on the most asked settings beside the base's.

    Raises LearnerError.
    """
    run, held_out = scene.run, _held_out(scene)
    scene.heading("Held-out questions, to the base and to the live version")
    with run.timed("questions"):
        version, coming = scene.server.ask_live(
            [wording.text for wording in held_out], tokens=TOKENS, on_progress=lambda _, __: None
        )
        answers = by_question(held_out, coming)
    before, after = mark(held_out, scene.inventions), mark(held_out, answers)
    _note(scene, before, after)
    of_each_fact = {wording.fact: wording for wording in reversed(held_out)}  # the first one
    most_asked = [of_each_fact[fact] for fact in dict.fromkeys(one.fact for one in held_out)][:QUESTIONS]
    facts = tuple(
        AnswerFact(
            conversation_id=wording.fact.subject.setting,
            question=wording.text,
            reference=wording.fact.answer,
            base=scene.inventions[wording.text],
            live=answers[wording.text],
        )
        for wording in most_asked
    )
    run.findings = replace(run.findings, answers=facts)
    base = f"{scene.settings.model_line}-v0 (base)"
    run.view.show(summary.answers(facts, base=base, live=f"{version} (live)"))
    run.view.tell(
        f"{version} answers {after.right} of {after.questions} held-out questions as support would, the base "
        f"{before.right}; token F1 {before.f1:.2f} -> {after.f1:.2f}",
        Kind.GOOD,
    )


def _held_out(scene: Scene) -> list[Wording]:
    return [wording for wording in scene.wordings if wording.held_out]


def _note(scene: Scene, before: Marks, after: Marks | None) -> None:
    fact = LessonsFact(
        tokens_per_s=round(scene.tokens_per_s, 1),
        predicted_s=round(scene.sizes.seconds),
        facts=scene.sizes.facts,
        questions=scene.sizes.asks,
        corrections=scene.sizes.lessons,
        before=before,
        after=after,
    )
    scene.run.findings = replace(scene.run.findings, lessons=fact)
