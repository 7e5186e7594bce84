"""Versions that learned from erased records: what shows them names the way out."""

from pathlib import Path

import pytest

from daemon.domain.decisions import Action
from daemon.domain.errors import NotEnoughData
from daemon.domain.holdout import Holdout
from daemon.training.dataset import build_dataset
from registry.names import VersionName
from tests.factories.daemon import LINE, Line
from tests.remedies.cases import mends
from tests.remedies.operator import Operator, in_one_line, printed_command

V0, V1 = VersionName(LINE, 0), VersionName(LINE, 1)
FAULTS = "daemon/cli/render/status_faults.py"
TAINT = "learned from records that were erased since"


@pytest.fixture(autouse=True)
def hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the factories' conversations."""
    monkeypatch.setattr(Holdout, "conversation_hash", lambda _, name: f"hash of {name}")


def live(line: Line) -> VersionName | None:
    return line.stores.versions.history(LINE).live


def forgets(operator: Operator) -> str:
    """Erase a conversation that v1 learned from."""
    return operator.reads("forget", "--conversation", "c71", "-m", "asked to")


@mends("retuned train -m REASON", FAULTS)
@mends("retuned rollback v{} -m REASON", FAULTS)
@pytest.mark.parametrize("remedy", ["retuned train -m REASON", "retuned rollback v{} -m REASON"])
def test_a_live_version_that_is_tainted_is_replaced(operator: Operator, remedy: str) -> None:
    operator.line.promoted()
    forgets(operator)
    printed = operator.status()
    assert TAINT in printed

    operator.follows(printed, remedy)

    assert TAINT not in operator.status()


@mends("retuned rollback {} -m REASON", "daemon/cli/render/erasure.py")
@mends("retuned erasures", "daemon/cli/render/erasure.py")
def test_who_erases_is_told_how_to_replace_what_is_live(operator: Operator) -> None:
    operator.line.promoted()
    printed = forgets(operator)

    assert "asked to" in operator.follows(printed, "retuned erasures").stdout
    operator.follows(printed, "retuned rollback {} -m REASON")

    assert live(operator.line) == V0


@mends("retuned reject v{} -m REASON", FAULTS)
@pytest.mark.parametrize("remedy", ["retuned promote v{} --force -m REASON", "retuned reject v{} -m REASON"])
def test_a_candidate_that_is_tainted_is_decided_by_a_person(operator: Operator, remedy: str) -> None:
    name = operator.line.candidate()
    operator.line.gate(name)
    forgets(operator)
    printed = operator.status()
    assert "does not go live by itself" in printed

    operator.follows(printed, remedy)

    assert "does not go live by itself" not in operator.status()


@mends("retuned rollback v{} -m REASON", "daemon/release/promotion.py")
def test_a_rollback_to_a_tainted_version_has_to_name_it(operator: Operator) -> None:
    line = operator.line
    name = line.promoted()
    second = line.finish_run(line.start_run(line.decide(Action.TRAIN, "again"))).name
    line.promote(second, line.gate(second))
    forgets(operator)
    refused = operator.reads("rollback", "-m", "worse")
    assert TAINT in refused

    operator.follows(refused, "retuned rollback v{} -m REASON")

    assert live(line) == name


def test_a_promotion_of_a_tainted_version_has_to_be_forced(operator: Operator) -> None:
    operator.line.gate(operator.line.candidate())
    forgets(operator)
    refused = operator.reads("promote", "v1")
    assert TAINT in refused

    operator.follows(refused, "retuned promote v{} --force -m REASON")

    assert live(operator.line) == V1


@mends("retuned forget --conversation ID -m REASON", "daemon/cli/render/erasure.py")
def test_conversations_that_name_no_user_are_erased_by_their_ids(operator: Operator) -> None:
    printed = operator.reads("forget", "--user", "somebody", "-m", "asked to")

    erased = operator.follows(printed, "retuned forget --conversation ID -m REASON", ID="c7").stdout

    assert "1 conversation" in erased
    assert operator.line.stores.conversations.last_seq() == 50
    assert "conversations erased: 1" in operator.reads("erasures")


@mends("retuned doctor", "daemon/training/dataset.py")
def test_a_training_set_that_is_empty_leads_to_the_share_of_users(operator: Operator, tmp_path: Path) -> None:
    line = operator.line
    with pytest.raises(NotEnoughData) as refused:
        build_dataset(line.stores.conversations, line.settings, since_seq=999, path=tmp_path / "data.jsonl")

    examined = operator.types(*printed_command(str(refused.value), "retuned doctor")).stdout

    assert "users: no user id has most of the conversations" in in_one_line(examined)
