from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.triage.intervals import Interval
from monitors.triage.triage import LESSON_MARGIN, Evidence, triage
from monitors.types import Aspect, Outcome


def about(estimate: float, reach: float = 0.02) -> Interval:
    return Interval(estimate=estimate, lower=estimate - reach, upper=estimate + reach, users=100)


HARMLESS = Evidence(
    loss=about(0.0, 0.1),
    reference_loss=3.0,
    feedback=about(0.05, 0.1),
    lesson=about(0.01),
    extra_lesson=about(0.0),
    concept=about(0.0, 0.2),
    defects=about(0.0),
    changing_answers=about(0.05),
)


def test_what_is_shown_to_be_harmless_is_ignored() -> None:
    found = triage(HARMLESS)

    assert found.outcome is Outcome.IGNORE
    assert found.reason == (
        "harmless: loss +0.00 nats per token (-0.10 to +0.10), to learn +0.01 nats per token (-0.01 to +0.03), "
        "feedback +0.05 (-0.05 to +0.15)"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"feedback": about(-0.3)}, "it hurts: feedback -0.30"),
        ({"loss": about(0.1)}, "it hurts: loss +0.10 nats"),
        ({"concept": about(0.5)}, "same questions, other answers: loss +0.50 nats"),
        ({"lesson": about(0.3), "extra_lesson": about(0.05)}, "to learn: +0.30 nats"),
    ],
)
def test_each_kind_of_harm_trains_and_is_named(change: dict[str, Interval], why: str) -> None:
    found = triage(replace(HARMLESS, **change))  # type: ignore[arg-type]

    assert found.outcome is Outcome.TRAIN
    assert why in found.reason


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"defects": about(0.3)}, "fix the source: broken conversations +30% (+28% to +32%)"),
        ({"defects": about(0.05), "leading_aspect": Aspect.DEFECTS}, "fix the source"),
        ({"changing_answers": about(0.5)}, "belongs into retrieval: 50% of the users (at least 48%)"),
    ],
)
def test_where_training_cant_help_it_says_what_would(change: dict[str, Interval], why: str) -> None:
    found = triage(replace(HARMLESS, loss=about(1.0), **change))  # type: ignore[arg-type]

    assert found.outcome is Outcome.CANT_HELP
    assert why in found.reason


@pytest.mark.parametrize("known", [HARMLESS, Evidence()])
def test_where_only_more_or_fewer_say_what_they_think_training_cant_help(known: Evidence) -> None:
    found = triage(replace(known, leading_aspect=Aspect.FEEDBACK_RATE))

    assert found.outcome is Outcome.CANT_HELP
    assert "look at how users give feedback" in found.reason
    hurting = replace(known, leading_aspect=Aspect.FEEDBACK_RATE, feedback=about(-0.3))
    assert triage(hurting).outcome is Outcome.TRAIN


@pytest.mark.parametrize(
    "change",
    [
        {"loss": None},
        {"lesson": None},
        {"loss": about(0.0, 0.5)},
        {"lesson": about(0.0, LESSON_MARGIN)},
        {"lesson": about(0.3)},  # much to learn, though the reference teaches as much
        {"feedback": about(0.0, 0.3)},
        {"defects": about(0.05)},
    ],
)
def test_silence_and_width_are_no_proof_of_harmlessness(change: dict[str, Interval | None]) -> None:
    found = triage(replace(HARMLESS, **change))  # type: ignore[arg-type]

    assert found.outcome is (Outcome.IGNORE if "defects" in change else Outcome.UNCLEAR)


def test_where_the_live_version_gave_all_answers_content_users_show_that_a_change_is_harmless() -> None:
    own = Evidence(answered_itself=True, feedback=about(0.05, 0.1), defects=about(0.0))

    found = triage(own)

    assert found.outcome is Outcome.IGNORE
    assert found.reason == (
        "harmless: users are as content with its answers as before: feedback +0.05 (-0.05 to +0.15)"
    )
    assert triage(replace(own, feedback=about(0.0, 0.3))).outcome is Outcome.UNCLEAR
    assert triage(replace(own, feedback=about(-0.3))).outcome is Outcome.TRAIN
    assert triage(replace(own, answered_itself=False)).outcome is Outcome.UNCLEAR  # not scored yet


def test_nothing_known_is_unclear() -> None:
    found = triage(Evidence())

    assert found.outcome is Outcome.UNCLEAR
    assert "too few conversations" in found.reason


_around = st.builds(about, st.floats(-1, 1), st.floats(0, 1))
_evidence = st.builds(
    Evidence,
    loss=st.none() | _around,
    reference_loss=st.floats(0, 5),
    feedback=st.none() | _around,
    lesson=st.none() | _around,
    extra_lesson=st.none() | _around,
    concept=st.none() | _around,
)


@given(_evidence, st.floats(0, 2), st.sampled_from(["loss", "feedback", "lesson", "extra_lesson", "concept"]))
def test_more_harm_never_turns_training_into_ignoring(before: Evidence, more: float, aspect: str) -> None:
    found = getattr(before, aspect)
    if found is None or triage(before).outcome is not Outcome.TRAIN:
        return
    step = -more if aspect == "feedback" else more
    worse = replace(found, estimate=found.estimate + step, lower=found.lower + step, upper=found.upper + step)

    after = triage(replace(before, **{aspect: worse}))

    assert after.outcome is Outcome.TRAIN
