from pathlib import Path

import pytest

from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.records import Coordinates
from daemon.domain.runs import Run, RunState, TrainingRecord
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.runs import RunLedger
from daemon.release.behaviour_guard import is_guarded
from tests.factories.gate import a_version
from tests.factories.ledger import NOW, a_ledger


@pytest.fixture
def runs(tmp_path: Path) -> RunLedger:
    return RunLedger(a_ledger(tmp_path))


def a_run(runs: RunLedger, folder: Path, *kinds: str | None) -> None:
    decision = DecisionLedger(a_ledger(folder)).decide(
        Decision(at=NOW, trigger=Trigger.DRIFT, action=Action.TRAIN, reason="drift", since_seq=1)
    )
    records = [
        TrainingRecord(
            at=Coordinates(topic="conversations", partition=0, offset=offset),
            sha256="a" * 64,
            origin="new",
            group="g",
            conversation_hash="h",
            lesson=None if kind is None else {"kind": kind, "index": 1},
        )
        for offset, kind in enumerate(kinds)
    ]
    run = Run(
        id="r1", decision_id=decision.id or 0, state=RunState.FINISHED, request={}, started_at=NOW, since_seq=1,
        until_seq=60,
    )  # fmt: skip
    runs.start(run, records)


@pytest.mark.parametrize(
    ("kinds", "guarded"),
    [
        ((None, "demonstration", "correction", "teacher"), False),
        ((None, "liked"), True),
        (("preference",), True),
        (("disliked",), True),
        ((), False),
    ],
)
def test_a_version_that_learned_from_opinions_is_guarded(
    runs: RunLedger, tmp_path: Path, kinds: tuple[str | None, ...], guarded: bool
) -> None:
    a_run(runs, tmp_path, *kinds)

    assert is_guarded("auto", a_version(1), runs) is guarded


@pytest.mark.parametrize("method", ["kto", "dpo"])
def test_a_version_of_a_method_that_compares_is_guarded(runs: RunLedger, method: str) -> None:
    assert is_guarded("auto", a_version(1, method=method), runs)


def test_the_setting_has_the_last_word(runs: RunLedger) -> None:
    assert is_guarded("always", a_version(1), runs)
    assert not is_guarded("never", a_version(1, method="kto"), runs)
