"""Several broken states at once: status names each with its own remedy, the most urgent first."""

import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from daemon.domain.halts import Halt, HaltKind
from daemon.domain.holdout import Holdout
from daemon.http.probe import DaemonHealth
from tests.factories.ledger import TOPIC
from tests.remedies.operator import Operator
from tests.unit.cli.test_sync import half_done

READY = DaemonHealth(url="http://127.0.0.1:9464", running=True, ready=True)
NOT_READY = DaemonHealth(
    url="http://127.0.0.1:9464", running=True, ready=False,
    problems={"intake": "halted by an operator", "scorer": "the scorer does not answer"},
)  # fmt: skip


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def all_at_once(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The disk is full, intake halted, a component down, the live version tainted, and promotion of another held."""
    monkeypatch.setattr(Holdout, "conversation_hash", lambda _, name: f"hash of {name}")
    line = operator.line
    line.promoted()
    operator.types("forget", "--conversation", "c71", "-m", "asked to")
    line.gate(line.candidate())
    operator.types("hold", "-m", "the fair")
    line.stores.halts.halt(
        Halt(kind=HaltKind.OPERATOR, reason="broker upgrade", at=line.now, topic=TOPIC, partition=0)
    )
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: _Usage(10**10, 10**10, 10**6))
        patch.setattr("daemon.http.probe.probe", lambda *_, **__: NOT_READY)
        yield patch


#: What is said of each state, the most urgent first, and what mends it; None for what is mended by hand.
EXPECTED = (
    ("is full", "Free some space.", None),
    ("Intake is halted: broker upgrade", "`retuned intake resume -m REASON`", "retuned intake resume -m REASON"),
    ("scorer: the scorer does not answer", "`retuned doctor`", None),
    ("learned from records that were erased since", "`retuned rollback v0 -m REASON`", "retuned rollback v{} -m REASON"),
    ("passed the gate, but promotion is held", "`retuned unhold -m REASON`", "retuned unhold -m REASON"),
)  # fmt: skip


def to_do(operator: Operator) -> str:
    """What status asks for, without the details below it."""
    printed = operator.status()
    return printed[: printed.index(" live support-bot-")]


def test_each_state_is_named_with_its_own_remedy_the_most_urgent_first(
    operator: Operator, all_at_once: pytest.MonkeyPatch
) -> None:
    printed = to_do(operator)

    assert printed.startswith("To do: free some space (+4 more).")
    named = [printed.index(words) for words, _, _ in EXPECTED]
    assert named == sorted(named)
    ends = [*named[1:], len(printed)]
    for start, end, (_, remedy, _) in zip(named, ends, EXPECTED, strict=True):
        assert remedy in printed[start:end]
    assert "halted by an operator" not in printed, "a halt is named once"


def test_each_remedy_mends_its_own_state_and_leaves_the_others_named(
    operator: Operator, all_at_once: pytest.MonkeyPatch
) -> None:
    printed = to_do(operator)
    left = {words for words, _, remedy in EXPECTED if remedy is None}

    for words, _, remedy in EXPECTED:
        if remedy is not None:
            operator.follows(printed, remedy)
            assert words not in to_do(operator)
    assert all(words in to_do(operator) for words in left)
    all_at_once.undo()

    assert operator.status().startswith("Nothing to do.")


def test_a_full_disk_is_named_before_the_switch_that_it_kept_from_being_finished(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_done(operator.line)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(10**10, 10**10, 10**6))

    printed = operator.status()

    assert printed.index("Free some space.") < printed.index("`retuned sync`")
