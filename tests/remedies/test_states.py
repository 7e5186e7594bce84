"""Broken states of a line: ``retuned status`` names each with a remedy, and the remedy, followed, mends it."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import pytest

from daemon.config.loader import dump
from daemon.domain.decisions import Action
from daemon.domain.halts import Halt, HaltKind
from daemon.domain.holdout import Holdout
from daemon.domain.runs import RunState
from daemon.http.probe import DaemonHealth
from daemon.ledger.stores import target_dir
from registry.directory_target import POINTER
from registry.names import VersionName
from registry.types import GateVerdict
from tests.factories.daemon import LINE, a_gate_report
from tests.factories.ledger import TOPIC
from tests.fakes.kafka import FakeBroker
from tests.remedies.cases import mends
from tests.remedies.operator import Operator, in_one_line
from tests.unit.cli.test_sync import half_done

Step: TypeAlias = Callable[[Operator], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A broken state: how it comes about, how status names it, and what mends it."""

    make: Step
    named: str
    remedy: str | None = None  # a command that status prints, with {} for what differs
    given: tuple[tuple[str, str], ...] = ()
    by_hand: tuple[str, Step] | None = (
        None  # instead: the instruction that status prints, and how it is followed
    )


def ledger(operator: Operator) -> Path:
    return operator.line.settings.state_dir / "ledger.db"


def settle(operator: Operator) -> None:
    """Have everything in the one file."""
    operator.line.stores.engine.dispose()


def halt(kind: HaltKind, reason: str) -> Step:
    return lambda operator: operator.line.stores.halts.halt(
        Halt(kind=kind, reason=reason, at=operator.line.now, topic=TOPIC, partition=0)
    )


def older_backup(operator: Operator) -> None:
    settle(operator)
    copy = shutil.copy(ledger(operator), ledger(operator).with_name("older.db"))
    operator.line.promoted()
    settle(operator)
    shutil.copy(copy, ledger(operator))
    operator.types("sync")  # the target, too


def another_ledgers_id(operator: Operator) -> None:
    settle(operator)
    connection = sqlite3.connect(ledger(operator))
    connection.execute("UPDATE identity SET value = 'another' WHERE name = 'ledger'")
    connection.commit()
    connection.close()


def other_shape(operator: Operator) -> None:
    operator.line.promoted()
    settings = operator.line.settings
    learning = settings.learning.model_copy(update={"rank": 2 * settings.learning.rank})
    operator.line.config.write_text(dump(settings.model_copy(update={"learning": learning})))


def old_shape(operator: Operator) -> None:
    operator.line.config.write_text(dump(operator.line.settings))


def key(operator: Operator) -> Path:
    return operator.line.settings.state_dir / "holdout.key"


def lose_key(operator: Operator) -> None:
    key(operator).rename(f"{key(operator)}.backup")


def another_key(operator: Operator) -> None:
    lose_key(operator)
    key(operator).write_bytes(b"another key of sixteen bytes")


def put_key_back(operator: Operator) -> None:
    Path(f"{key(operator)}.backup").replace(key(operator))


def damaged_adapter(operator: Operator) -> None:
    operator.line.damage(operator.line.promoted())


def pointer(operator: Operator) -> Path:
    return target_dir(operator.line.settings) / POINTER


def move_target(operator: Operator) -> None:
    operator.line.promoted()
    pointer(operator).write_text(pointer(operator).read_text().replace(f"{LINE}-v1", f"{LINE}-v0"))


def erased(operator: Operator) -> None:
    """A conversation that v1 learned from is erased."""
    assert operator.types("forget", "--conversation", "c71", "-m", "asked to").exit_code == 0


def tainted_live(operator: Operator) -> None:
    operator.line.promoted()
    erased(operator)


def passed(operator: Operator) -> VersionName:
    name = operator.line.candidate()
    operator.line.gate(name)
    return name


def tainted_candidate(operator: Operator) -> None:
    passed(operator)
    erased(operator)


def held(operator: Operator) -> None:
    passed(operator)
    operator.types("hold", "-m", "the fair")


def barred(operator: Operator) -> None:
    line, first = operator.line, operator.line.promoted()
    run = line.start_run(line.decide(Action.TRAIN, "again"))
    line.planned[run.id] = replace(line.planned[run.id], parent=str(first))
    line.gate(line.finish_run(run).name)
    operator.types("rollback", "-m", "worse")


def outdated(operator: Operator) -> None:
    report = replace(a_gate_report(), against=VersionName(LINE, 9))
    name = operator.line.candidate()
    operator.line.stores.versions.add_gate_report(name, report, at=operator.line.clock())


def by_hand_only(operator: Operator) -> None:
    passed(operator)
    release = operator.line.settings.release.model_copy(update={"automatic": False})
    operator.line.config.write_text(dump(operator.line.settings.model_copy(update={"release": release})))


def rejected(operator: Operator) -> None:
    operator.line.gate(operator.line.candidate(), GateVerdict.REJECT)


def failed_run(operator: Operator) -> None:
    line = operator.line
    run = line.start_run(line.drift())
    line.stores.runs.end(run.id, RunState.FAILED, now=line.clock(), error="out of memory")


def paused(operator: Operator) -> None:
    operator.line.start_run(operator.line.drift())
    operator.types("pause", "-m", "the fair")


def frozen(operator: Operator) -> None:
    operator.types("reference", "freeze", "-m", "the fair")


def backed_up(operator: Operator) -> None:
    operator.line.promoted()
    assert operator.types("backup", str(backup_file(operator)), "--artifacts").exit_code == 0
    settle(operator)


def backup_file(operator: Operator) -> Path:
    return operator.line.config.parent / "a.backup"


def lose_ledger(operator: Operator) -> None:
    backed_up(operator)
    ledger(operator).unlink()


def damage_ledger(operator: Operator) -> None:
    backed_up(operator)
    ledger(operator).write_bytes(b"no database at all" * 100)


def of_the_file(operator: Operator) -> None:
    """A typing error in the settings."""
    operator.line.config.write_text(
        operator.line.config.read_text().replace("model_line: support-bot", "model_line: other")
    )


UNHOLD, RESUME = "retuned unhold -m REASON", "retuned resume -m REASON"
ROLLBACK, SYNC = "retuned rollback -m REASON", "retuned sync"
RESTORE, ACCEPT = "retuned restore FILE --yes", "retuned sync --accept-ledger"
RESET, REQUEUE = "retuned intake reset -m REASON", "retuned deadletters requeue --all"
LOST = "conversations/0: offset 51 is not in the topic. Read on: `retuned intake reset -m REASON`"
KEY_BACK = ("restore th", put_key_back)

STATES: dict[str, State] = {
    "intake halted by an operator": State(
        make=halt(HaltKind.OPERATOR, "broker upgrade"), named="Intake is halted: broker upgrade",
        remedy="retuned intake resume -m REASON",
    ),
    "records lost": State(make=halt(HaltKind.OFFSET_LOST, LOST), named="Intake is halted", remedy=RESET),
    "topic made anew": State(make=halt(HaltKind.TOPIC_RECREATED, LOST), named="Intake is halted", remedy=RESET),
    "too many dead letters": State(
        make=halt(HaltKind.DEAD_LETTERS, "100 records can't be used"), named="Intake is halted: 100 records",
        remedy="retuned intake resume -m REASON",
    ),
    "dead letters": State(make=lambda operator: operator.line.dead_letter(), named="2 not_json", remedy=REQUEUE),
    "an older backup of the ledger": State(make=older_backup, named="it is an older copy of the ledger", remedy=ACCEPT),
    "another ledger's id": State(make=another_ledgers_id, named="was left by ledger", remedy=ACCEPT),
    "another LoRA shape": State(
        make=other_shape, named="ection learning has rank", remedy="retuned rollback v{} -m REASON"
    ),
    "another LoRA shape, set back": State(
        make=other_shape, named="ection learning has rank", by_hand=("et learning.rank: ", old_shape)
    ),
    "the holdout key gone": State(make=lose_key, named="there is no holdout key at", by_hand=KEY_BACK),
    "another holdout key": State(make=another_key, named="created with holdout", by_hand=KEY_BACK),
    "the live adapter damaged": State(make=damaged_adapter, named="differs from its manifest", remedy=ROLLBACK),
    "a rollback half done": State(
        make=lambda operator: half_done(operator.line),
        named=f"{LINE}-v0 is live, but the target names {LINE}-v1", remedy=SYNC,
    ),
    "the target moved by hand": State(make=move_target, named=f"but the target names {LINE}-v0", remedy=SYNC),
    "the target's pointer damaged": State(
        make=lambda operator: pointer(operator).write_text("{"), named="can't be read", remedy=SYNC
    ),
    "the target's pointer gone": State(
        make=lambda operator: pointer(operator).unlink(), named="the target names nothing", remedy=SYNC
    ),
    "a tainted version is live": State(
        make=tainted_live, named="learned from records that were erased since",
        remedy="retuned rollback v{} -m REASON",
    ),
    "a tainted version is live, trained anew": State(
        make=tainted_live, named="learned from records that were erased since", remedy="retuned train -m REASON"
    ),
    "a tainted candidate": State(
        make=tainted_candidate, named="so it does not go live by itself", remedy="retuned reject v{} -m REASON"
    ),
    "promotion held": State(make=held, named="passed the gate, but promotion is held", remedy=UNHOLD),
    "a candidate barred": State(
        make=barred, named="passed the gate, but it is barred", remedy="retuned promote v{} -m REASON"
    ),
    "a pass against another version": State(
        make=outdated, named="is live now: `retuned promote", remedy="retuned promote v{} --force -m REASON"
    ),
    "a pass that waits for a person": State(
        make=by_hand_only, named="passed the gate: `retuned promote", remedy="retuned promote v{} -m REASON"
    ),
    "a candidate refused by the gate": State(
        make=rejected, named="reject at look 1", remedy="retuned promote v{} --force -m REASON"
    ),
    "a failed run": State(make=failed_run, named="Run r1 failed", remedy="retuned train -m REASON"),
    "training paused": State(make=paused, named="no training runs, by", remedy=RESUME),
    "the reference frozen": State(make=frozen, named="frozen by", remedy="retuned reference unfreeze -m REASON"),
    "the ledger gone": State(make=lose_ledger, named="which an earlier one put live", remedy=RESTORE),
    "the ledger damaged": State(make=damage_ledger, named="is damaged", remedy=RESTORE),
    "another line's settings": State(
        make=of_the_file, named="created with model_line support-bot", by_hand=("set model_line back", old_shape)
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the factories' conversations."""
    monkeypatch.setattr(Holdout, "conversation_hash", lambda _, name: f"hash of {name}")


@mends("retuned rollback v{} -m REASON", "daemon/release/bound.py")
@pytest.mark.parametrize("name", STATES)
def test_status_names_a_broken_state_and_a_remedy_that_mends_it(
    operator: Operator, broker: FakeBroker, name: str
) -> None:
    state = STATES[name]
    assert state.named not in operator.status()
    state.make(operator)
    printed = operator.status()
    assert state.named in printed

    if state.by_hand is not None:
        instruction, follow = state.by_hand
        assert instruction in printed
        follow(operator)
    else:
        operator.follows(printed, state.remedy or "", FILE=str(backup_file(operator)))

    after = operator.types("status")
    assert after.exit_code == 0, after.stderr
    assert remains(state, in_one_line(after.stdout)) == []


def remains(state: State, printed: str) -> list[str]:
    """What status still says of a state that was mended."""
    said = [state.named] if state.remedy != REQUEUE else [f"`{REQUEUE}`"]
    return [words for words in said if words in printed]


@pytest.mark.parametrize(
    ("problems", "says"),
    [
        (
            {"ledger": "the ledger can't be used now: disk I/O error; check its disk (for 12 s)"},
            "check its disk",
        ),
        (
            {"bound": "my-model has digest abc, but v0 was made for def; restore those files"},
            "restore those files",
        ),
        (
            {"broker": "no usable broker at b:9092: check the address and that the broker runs"},
            "check the address",
        ),
        ({"target": "the target can't be switched: No space left on device"}, "No space left on device"),
    ],
)
def test_what_a_running_daemon_reports_is_named_with_its_remedy_until_it_is_gone(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, problems: dict[str, str], says: str
) -> None:
    ill = DaemonHealth(url="http://127.0.0.1:9464", running=True, ready=False, problems=problems)
    with monkeypatch.context() as patch:
        patch.setattr("daemon.http.probe.probe", lambda _, **__: ill)
        printed = operator.status()

    assert f"The daemon is not ready: {next(iter(problems))}: " in printed
    assert says in printed
    assert operator.types("doctor").exit_code in (0, 1)
    assert "not ready" not in operator.status()


@pytest.mark.parametrize("other", [None, "another program"])
def test_a_daemon_that_does_not_run_is_named(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, other: str | None
) -> None:
    absent = DaemonHealth(url="http://127.0.0.1:9464", running=False, other=other)
    with monkeypatch.context() as patch:
        patch.setattr("daemon.http.probe.probe", lambda _, **__: absent)
        assert "`retuned run`" in operator.status()

    assert "retuned run" not in operator.status()


def test_there_are_at_least_fifteen_states() -> None:
    assert len(STATES) >= 15
