"""All monitors speak, also where one fails; only a triggering one's drift is explained."""

import pickle
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitors.errors import InvalidSettings
from monitors.settings import MONITORS, MonitorSettings
from monitors.suite import judge
from monitors.types import Finding, Monitor, Reference, Sample, Verdict, Window
from monitors.window import monitors_by_name
from monitors.window.recurrence_result import Recurrence
from tests.factories.monitors import a_reference, a_window, made_of

TEA, BANK = ["tea", "leaf", "pot", "cup"], ["loan", "fee", "bank", "card"]


class FailingMonitor:
    name = "columns"

    def judge(self, window: Window, reference: Reference) -> Verdict:
        raise ZeroDivisionError("no columns today")


def test_every_monitor_gives_a_verdict_and_drift_is_explained() -> None:
    judgement = judge(
        a_window(made_of(BANK, 50, seed=1)),
        a_reference(made_of(TEA, 200, seed=2)),
        MonitorSettings(alarmed=True),
    )

    assert [verdict.monitor for verdict in judgement.verdicts] == list(MONITORS)
    assert {verdict.finding for verdict in judgement.verdicts} == {Finding.DRIFT}
    assert judgement.explanation is not None
    assert judgement.explanation.window_id == "7"


def test_a_window_that_confirms_an_alarm_is_tested_at_the_level_of_a_confirmation_and_explained() -> None:
    settings = MonitorSettings(confirming=True, confirmation_level=0.02)

    judgement = judge(a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)), settings)

    assert judgement.verdicts[0].numbers["level"] == 0.02
    assert judgement.explanation is not None


def test_no_drift_has_no_explanation() -> None:
    judgement = judge(
        a_window(made_of(TEA, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)), MonitorSettings()
    )

    assert judgement.explanation is None


def test_a_monitor_that_may_not_confirm_causes_no_explanation() -> None:
    settings = MonitorSettings(monitors=("columns",), confirm_by=(), confirming=True)
    longer = made_of(["a very long word of tea indeed"], 50, seed=1)

    judgement = judge(a_window(longer), a_reference(made_of(TEA, 200, seed=2)), settings)

    assert judgement.verdicts[0].finding is Finding.DRIFT
    assert judgement.explanation is None


def test_a_failing_monitor_is_inconclusive_and_silences_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = monitors_by_name.build

    def build(name: str, settings: MonitorSettings) -> Monitor:
        return FailingMonitor() if name == "columns" else real(name, settings)

    monkeypatch.setattr(monitors_by_name, "build", build)
    judgement = judge(
        a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)), MonitorSettings()
    )

    assert [v.finding for v in judgement.verdicts] == [Finding.DRIFT, Finding.INCONCLUSIVE, Finding.DRIFT]
    assert "ZeroDivisionError: no columns today" in judgement.verdicts[1].reason


def test_an_empty_window_is_inconclusive_everywhere() -> None:
    judgement = judge(a_window([]), a_reference([]), MonitorSettings())

    assert {verdict.finding for verdict in judgement.verdicts} == {Finding.INCONCLUSIVE}


def at_hour(samples: list[Sample], hour: int) -> list[Sample]:
    return [replace(sample, at=datetime(2026, 11, 23, hour, tzinfo=UTC)) for sample in samples]


def test_what_comes_at_an_hour_that_the_reference_does_not_know_is_inconclusive() -> None:
    evening = a_window(at_hour(made_of(BANK, 50, seed=1), 20))
    morning = a_reference(at_hour(made_of(TEA, 200, seed=2), 8))

    judgement = judge(evening, morning, MonitorSettings(cycle_days=7, confirming=True))

    assert {verdict.finding for verdict in judgement.verdicts} == {Finding.INCONCLUSIVE}
    assert judgement.verdicts[0].reason == (
        "the reference has 0 conversations of the window's time of the day, and 100 are needed; it spans 0.0 of 7 days"
    )


def test_what_comes_at_its_hour_is_compared_with_what_was_said_at_that_hour() -> None:
    day = a_reference([*at_hour(made_of(TEA, 200, seed=2), 8), *at_hour(made_of(BANK, 200, seed=3), 20)])
    evening = a_window(at_hour(made_of(BANK, 50, seed=1), 20))

    timeless, timed = (judge(evening, day, MonitorSettings(cycle_days=days)) for days in (0, 7))

    assert (timeless.verdicts[0].finding, timed.verdicts[0].finding) == (Finding.DRIFT, Finding.STABLE)


def test_a_return_to_an_earlier_reference_is_told_where_there_is_an_alarm() -> None:
    window, tea = a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2))
    bank = Reference(id="1", samples=tuple(made_of(BANK, 200, seed=3)), title="reference 1, of chat-v0")

    alarmed, quiet = (
        judge(window, tea, MonitorSettings(alarmed=alarmed), [bank]) for alarmed in (True, False)
    )

    assert alarmed.recurrence is not None
    assert alarmed.recurrence.outcome is Recurrence.RETURNED
    assert alarmed.recurrence.reason.startswith("looks like reference 1, of chat-v0 again")
    assert [verdict.monitor for verdict in alarmed.verdicts] == list(MONITORS)
    assert [verdict.monitor for verdict in quiet.verdicts] == list(MONITORS)
    assert quiet.recurrence is None


def test_settings_and_judgement_cross_to_another_process() -> None:
    settings = MonitorSettings()
    judgement = judge(a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)), settings)

    assert pickle.loads(pickle.dumps((settings, judgement))) == (settings, judgement)  # noqa: S301  our own bytes


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"monitors": ("mmd", "psychic")}, "no such monitor: psychic"),
        ({"monitors": ("columns",)}, "confirm_by must be among monitors"),
        ({"conversations_between_false_alarms": 0}, "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        MonitorSettings(**wrong)  # type: ignore[arg-type]
