"""All monitors speak, also where one fails; only a triggering one's drift is explained."""

import pickle

import pytest

from monitors import suite
from monitors.errors import InvalidSettings
from monitors.suite import MonitorSettings, judge
from monitors.types import Finding, Monitor, Reference, Verdict, Window
from tests.factories_monitors import a_reference, a_window, made_of

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

    assert [verdict.monitor for verdict in judgement.verdicts] == list(suite.MONITORS)
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
    real = suite.build

    def build(name: str, settings: MonitorSettings) -> Monitor:
        return FailingMonitor() if name == "columns" else real(name, settings)

    monkeypatch.setattr(suite, "build", build)
    judgement = judge(
        a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)), MonitorSettings()
    )

    assert [v.finding for v in judgement.verdicts] == [Finding.DRIFT, Finding.INCONCLUSIVE, Finding.DRIFT]
    assert "ZeroDivisionError: no columns today" in judgement.verdicts[1].reason


def test_an_empty_window_is_inconclusive_everywhere() -> None:
    judgement = judge(a_window([]), a_reference([]), MonitorSettings())

    assert {verdict.finding for verdict in judgement.verdicts} == {Finding.INCONCLUSIVE}


def test_settings_and_judgement_cross_to_another_process() -> None:
    settings = MonitorSettings()
    judgement = judge(a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)), settings)

    assert pickle.loads(pickle.dumps((settings, judgement))) == (settings, judgement)  # noqa: S301  our own bytes


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"monitors": ("mmd", "psychic")}, "no such monitor: psychic"),
        ({"monitors": ("columns",)}, "confirm_by must be among monitors"),
        ({"conversations_between_false_alarms": 0}, "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        MonitorSettings(**wrong)  # type: ignore[arg-type]
