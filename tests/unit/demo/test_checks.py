"""A demo counts only if everything really happened."""

from dataclasses import replace

import pytest

from daemon.demo.checks import Findings, check_all, failed
from daemon.demo.evidence import RollbackFact, StopFact, StreamFact
from daemon.demo.launch.evidence import LessonsFact, SabotageFact
from daemon.domain.runs import RunState
from registry.types import GateVerdict, SliceReport
from tests.factories.demo import (
    a_gate_report,
    a_loop,
    a_rollback,
    a_sabotage,
    a_slice,
    a_stream,
    an_answer,
    findings,
    launch_findings,
    lessons,
)

pytestmark = pytest.mark.unit
MARGIN = 0.02


def failures(found: Findings, *, launch: bool = False) -> set[str]:
    return {check.name for check in failed(check_all(found, margin=MARGIN, launch=launch))}


def test_all_checks_pass_when_everything_happened() -> None:
    assert failures(findings()) == set()


def test_a_demo_that_got_nowhere_passes_nothing() -> None:
    checks = check_all(Findings(), margin=MARGIN)

    assert failed(checks) == checks
    assert all("did not get that far" in check.evidence or "0 of 3" in check.evidence for check in checks)


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        (a_stream(sent=1101), "every conversation was counted"),
        (a_stream(sent=0, counted=0), "every conversation was counted"),
        (replace(a_stream(), dead_letters=1), "every conversation was counted"),
        (a_stream("ssdssdd"), "no false alarm before the change"),
        (a_stream("siisidd"), "no false alarm before the change"),
        (a_stream("sssss"), "the change was detected"),
        (a_stream(change_at=None), "the change was detected"),
    ],
)
def test_a_stream_that_went_wrong_fails_the_check_that_names_it(stream: StreamFact, name: str) -> None:
    assert name in failures(replace(findings(), loop=a_loop(stream=stream)))


def test_an_alarm_in_the_window_that_holds_the_change_is_no_false_one() -> None:
    loop = a_loop(stream=a_stream("sssssd", change_at=1000))

    assert failures(replace(findings(), loop=loop)) == set()
    assert loop.stream.delay == 1


def test_a_run_that_failed_is_no_training() -> None:
    assert "a training finished" in failures(replace(findings(), loop=a_loop(run=RunState.FAILED)))


def test_an_inconclusive_gate_is_no_pass() -> None:
    gate = a_gate_report(verdict=GateVerdict.INCONCLUSIVE)

    assert "the gate let the candidate pass" in failures(replace(findings(), loop=a_loop(gate=gate)))


@pytest.mark.parametrize(
    ("target", "protected", "name"),
    [
        (a_slice("target", difference=-0.05, reach=0.1), a_slice("protected"), "better on new conversations"),
        (
            a_slice("target"),
            a_slice("protected", difference=0.0, reach=0.03),
            "not worse on old conversations",
        ),
    ],
)
def test_a_bound_on_the_wrong_side_fails_whatever_the_gate_said(
    target: SliceReport, protected: SliceReport, name: str
) -> None:
    loop = a_loop(gate=a_gate_report(target, protected))

    assert failures(replace(findings(), loop=loop)) == {name}


def test_a_gate_without_old_conversations_proves_nothing_about_them() -> None:
    loop = a_loop(gate=a_gate_report(a_slice("target")))

    assert failures(replace(findings(), loop=loop)) == {"not worse on old conversations"}


def test_a_promotion_of_another_version_does_not_count() -> None:
    loop = replace(a_loop(), candidate="demo-v2")

    assert failures(replace(findings(), loop=loop)) == {"the daemon promoted it"}


def test_an_empty_answer_is_no_answer() -> None:
    found = replace(findings(), answers=(an_answer(1), an_answer(2), an_answer(3, live="  ")))

    assert failures(found) == {"both versions answered the questions"}


@pytest.mark.parametrize(
    "rollback",
    [
        a_rollback(exit_status=1),
        a_rollback(metrics="demo-v1"),
        a_rollback(metrics=None),
        a_rollback(history="demo-v1"),
        replace(a_rollback(), away_from="demo-v0"),
    ],
)
def test_a_rollback_counts_only_if_all_three_places_agree_on_another_version(rollback: RollbackFact) -> None:
    assert failures(replace(findings(), rollback=rollback)) == {"the operator's command rolled back"}


@pytest.mark.parametrize(
    "stop", [StopFact(seconds=20.1, exit_status=0), StopFact(seconds=1.0, exit_status=-15), None]
)
def test_a_stop_counts_only_if_clean_and_in_time(stop: StopFact | None) -> None:
    assert failures(replace(findings(), stop=stop)) == {"the daemon stopped cleanly on SIGTERM"}


def test_the_launch_passes_when_users_lessons_were_learned_and_a_saboteurs_refused() -> None:
    assert failures(launch_findings(), launch=True) == set()
    assert failures(findings(), launch=True) == {
        "it answers held-out wordings as support would",
        "the gate refused a sabotaged version",
    }


@pytest.mark.parametrize(
    "learned", [lessons(after=0.79), lessons(before=0.4), replace(lessons(), after=None)]
)
def test_answers_that_are_not_those_of_support_fail(learned: LessonsFact) -> None:
    found = replace(launch_findings(), lessons=learned)

    assert failures(found, launch=True) == {"it answers held-out wordings as support would"}


@pytest.mark.parametrize(
    "found",
    [a_sabotage(verdict=GateVerdict.PROMOTE), a_sabotage(verdict=None), a_sabotage(live="demo-v2")],
)
def test_a_sabotaged_version_that_was_not_refused_fails(found: SabotageFact) -> None:
    assert failures(replace(launch_findings(), sabotage=found), launch=True) == {
        "the gate refused a sabotaged version"
    }
