"""What is live, what is served, and candidates: each refusal and each need names a command that does it."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.ledger.stores import target_dir
from daemon.release.live_artifact import LiveArtifactCheck
from daemon.release.promotion import Overtaken, promote_version
from daemon.views.status import status_view
from daemon.views.why import recent_activity
from registry.directory_target import POINTER
from registry.history import History
from registry.line_logs import read_logs, restrictions_on
from registry.names import VersionName
from registry.restrictions import Restrictions
from registry.store import Conflict
from registry.transitions import Barred, Held, NothingLive, bootstrap, check_automatic, promote
from registry.types import Actor, GateVerdict
from tests.factories.daemon import LINE, START, Line, a_gate_report
from tests.remedies.cases import mends
from tests.remedies.operator import Operator
from tests.support.helpers import eventually
from tests.unit.cli.test_sync import half_done

V0, V1, V2 = (VersionName(LINE, number) for number in range(3))
ADA = Actor(kind="operator", name="ada")
FAULTS, SUMMARY = "daemon/cli/render/status_faults.py", "daemon/cli/render/status_summary.py"
TRANSITIONS = "registry/transitions.py"
PROMOTE = "retuned promote v{}{} -m REASON"


def live(line: Line) -> VersionName | None:
    return line.stores.versions.history(LINE).live


def served(line: Line) -> str:
    pointer = json.loads((target_dir(line.settings) / POINTER).read_text())
    return str(pointer["version"])


def by_hand(line: Line) -> None:
    pointer = target_dir(line.settings) / POINTER
    pointer.write_text(pointer.read_text().replace(f"{LINE}-v1", f"{LINE}-v0"))


@mends("retuned sync", FAULTS, "daemon/cli/doctor/stores.py", "registry/directory_target.py")
@pytest.mark.parametrize("where", [("status",), ("doctor",)])
@pytest.mark.parametrize("damage", ["moved by hand", "not JSON", "gone"])
def test_a_target_that_says_something_else_is_written_again(
    operator: Operator, where: tuple[str, ...], damage: str
) -> None:
    line, name = operator.line, operator.line.promoted()
    pointer = target_dir(line.settings) / POINTER
    if damage == "moved by hand":
        by_hand(line)
    elif damage == "not JSON":
        pointer.write_text("{")
    else:
        pointer.unlink()

    operator.follows(operator.reads(*where), "retuned sync")

    assert served(line) == str(name)
    assert "retuned sync" not in operator.reads(*where)


@mends("retuned sync", "daemon/release/sync.py")
def test_a_rollback_that_was_left_half_done_is_finished(operator: Operator) -> None:
    half_done(operator.line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("registry.directory_target._replace", _full)
        failed = operator.reads("sync")

    operator.follows(failed, "retuned sync")

    assert served(operator.line) == str(V0)


def _full(path: Path, text: str) -> None:
    raise OSError(28, "No space left on device", str(path))


@mends("retuned rollback -m REASON", FAULTS, "daemon/cli/doctor/stores.py")
@mends("restore {} from a backup{}", "daemon/cli/doctor/stores.py")
@pytest.mark.parametrize("where", [("status",), ("doctor",)])
def test_a_damaged_live_adapter_is_left_behind(operator: Operator, where: tuple[str, ...]) -> None:
    operator.line.damage(operator.line.promoted())

    operator.follows(operator.reads(*where), "retuned rollback -m REASON")

    assert (live(operator.line), served(operator.line)) == (V0, str(V0))
    assert "not as they were" not in operator.status()


@pytest.mark.parametrize("where", [("status",), ("doctor",)])
def test_the_files_of_a_damaged_adapter_are_put_back(
    operator: Operator, where: tuple[str, ...], tmp_path: Path
) -> None:
    name, artifacts = operator.line.promoted(), operator.line.settings.state_dir / "artifacts"
    shutil.copytree(artifacts, tmp_path / "copy")
    operator.line.damage(name)
    assert "from a backup" in operator.reads(*where)

    shutil.copytree(tmp_path / "copy", artifacts, dirs_exist_ok=True)

    assert "from a backup" not in operator.reads(*where)


@mends("retuned rollback -m REASON", "daemon/release/live_artifact.py")
def test_the_daemon_says_the_same_of_a_damaged_live_adapter(operator: Operator) -> None:
    line = operator.line
    line.damage(line.promoted())
    check = LiveArtifactCheck(line.stores, clock=line.clock)
    check.step(line.stores.versions.history(LINE))
    eventually(lambda: check._check is not None and check._check.done())
    check.step(line.stores.versions.history(LINE))
    assert check.problem is not None

    operator.follows(check.problem, "retuned rollback -m REASON")

    line.now += timedelta(minutes=2)
    check.step(line.stores.versions.history(LINE))
    eventually(lambda: check._check is None or check._check.done())
    check.step(line.stores.versions.history(LINE))
    assert check.problem is None


@mends("retuned rollback -m REASON", "daemon/cli/promote.py")
@mends("retuned unhold -m REASON", "daemon/cli/promote.py")
@mends("retuned why v{}", "daemon/cli/promote.py")
def test_a_promotion_is_taken_back_and_the_hold_of_that_ended(operator: Operator) -> None:
    name = operator.line.candidate()
    operator.line.gate(name)
    promoted = operator.reads("promote", "v1")

    back = operator.follows(promoted, "retuned rollback -m REASON").stdout

    assert live(operator.line) == V0
    assert "was rolled back" in operator.follows(back, "retuned why v{}").stdout
    operator.follows(back, "retuned unhold -m REASON")
    assert "no automatic promotion" not in operator.status()


@mends("retuned rollback v{} -m REASON", TRANSITIONS)
def test_a_second_rollback_at_once_names_its_version(operator: Operator) -> None:
    line = operator.line
    line.promoted()
    line.promote(second(line), line.gate(V2))
    operator.types("rollback", "-m", "worse")

    operator.follows(operator.reads("rollback", "-m", "worse"), "retuned rollback v{} -m REASON")

    assert live(line) == V0


@mends("retuned rollback --expect v{} -m REASON", "registry/ordering.py")
def test_a_live_version_is_rolled_back_instead_of_rejected(operator: Operator) -> None:
    operator.line.promoted()

    operator.follows(operator.reads("reject", "v1", "-m", "bad"), "retuned rollback --expect v{} -m REASON")

    assert live(operator.line) == V0


@mends(PROMOTE, TRANSITIONS)
@pytest.mark.parametrize("state", ["not judged", "refused by the gate", "judged against another", "rejected"])
def test_a_refused_promotion_says_how_a_person_overrules_it(operator: Operator, state: str) -> None:
    line, name = operator.line, operator.line.candidate()
    if state == "refused by the gate":
        line.gate(name, GateVerdict.REJECT)
    elif state == "judged against another":
        outdated(line, name)
    elif state == "rejected":
        line.gate(name)
        operator.types("reject", str(name), "-m", "I do not like it")

    refused = operator.reads("promote", str(name), "-m", "so")

    assert live(line) == V0
    operator.follows(refused, "retuned promote v{} --force -m REASON")
    assert live(line) == name


def outdated(line: Line, name: VersionName) -> None:
    """The gate passed a candidate against a version that is no longer live."""
    report = replace(a_gate_report(), against=VersionName(LINE, 9))
    line.stores.versions.add_gate_report(name, report, at=line.clock())


@mends("retuned reject {} -m REASON", SUMMARY)
@pytest.mark.parametrize("remedy", ["retuned promote v{} --force -m REASON", "retuned reject {} -m REASON"])
def test_a_pass_against_another_version_is_decided_by_a_person(operator: Operator, remedy: str) -> None:
    outdated(operator.line, operator.line.candidate())
    printed = operator.status()
    assert "but support-bot-v0 is live now" in printed

    operator.follows(printed, remedy)

    assert "is live now" not in operator.status()


@mends("retuned unhold -m REASON", TRANSITIONS, SUMMARY)
@pytest.mark.parametrize("remedy", ["retuned promote v{} -m REASON", "retuned unhold -m REASON"])
def test_a_candidate_that_a_hold_keeps_back_is_released(operator: Operator, remedy: str) -> None:
    line, name = operator.line, operator.line.candidate()
    line.gate(name)
    operator.types("hold", "-m", "the fair")
    printed = operator.status()
    with pytest.raises(Held) as held:
        check_automatic(name, restrictions(line, name))
    if "unhold" in remedy:
        printed = str(held.value)

    operator.follows(printed, remedy)

    assert live(line) == name or restrictions(line, name).hold is None


def restrictions(line: Line, name: VersionName) -> Restrictions:
    return restrictions_on(line.stores.versions, name, read_logs(line.stores.versions, LINE))


@pytest.mark.parametrize("by_rejecting", [False, True])
@pytest.mark.parametrize("answer", ["promote", "reject"])
def test_a_candidate_that_continues_from_a_barred_version_is_decided_by_a_person(
    operator: Operator, by_rejecting: bool, answer: str
) -> None:
    line = operator.line
    line.promoted()
    name = second(line, parent=V1)
    line.gate(name)
    operator.types("rollback", "-m", "worse")
    if by_rejecting:
        operator.types("reject", "v1", "-m", "never again")
    printed = operator.status()
    with pytest.raises(Barred) as barred:
        check_automatic(name, restrictions(line, name))

    forced = " --force" if "--force" in str(barred.value) else ""
    operator.follows(printed if answer == "reject" else str(barred.value), {
        "promote": f"retuned promote v{{}}{forced} -m REASON", "reject": "retuned reject {} -m REASON"
    }[answer])  # fmt: skip

    assert (live(line) == name) is (answer == "promote")
    assert "it is barred (see below)" not in operator.status()


def second(line: Line, *, parent: VersionName | None = None) -> VersionName:
    """A second version."""
    run = line.start_run(line.decide(Action.TRAIN, "again"))
    if parent is not None:
        line.planned[run.id] = replace(line.planned[run.id], parent=str(parent))
    return line.finish_run(run).name


@mends("retuned promote v{}", "daemon/views/why.py")
def test_a_candidate_that_passed_waits_for_a_command_where_release_is_not_automatic(
    operator: Operator,
) -> None:
    line, name = operator.line, operator.line.candidate()
    line.gate(name)
    seen = status_view(line.stores, line.settings, line.now)
    [waits] = recent_activity(line.stores, seen, automatic=False).obstacles[-1:]

    operator.follows(waits, "retuned promote v{}")

    assert live(line) == name


@mends("retuned history", "daemon/release/promotion.py")
def test_who_was_overtaken_sees_by_whom(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    line, name = operator.line, operator.line.candidate()
    line.gate(name)
    append = line.stores.versions.append

    def too_late(*_: object, **__: object) -> None:
        monkeypatch.setattr(line.stores.versions, "append", append)
        operator.types("hold", "-m", "the fair")
        raise Conflict("another writer was first")

    monkeypatch.setattr(line.stores.versions, "append", too_late)
    with pytest.raises(Overtaken) as overtaken:
        promote_version(line.stores, name, reason="so", force=False, by=ADA, clock=line.clock)

    assert "the fair" in operator.follows(str(overtaken.value), "retuned history").stdout
    assert operator.types("promote", str(name)).exit_code == 0


@mends("retuned train -m REASON", SUMMARY)
def test_a_failed_run_is_followed_by_another(operator: Operator) -> None:
    line = operator.line
    run = line.start_run(line.drift())
    line.stores.runs.end(run.id, RunState.FAILED, now=line.clock(), error="out of memory")

    operator.follows(operator.status(), "retuned train -m REASON")

    assert line.stores.decisions.open_request() is not None


@mends("retuned run", TRANSITIONS)
def test_nothing_is_promoted_before_the_first_start() -> None:
    with pytest.raises(NothingLive, match="`retuned run`"):
        promote(History(model_line=LINE), V1, gate=None, reason="so", by=ADA, now=START)
    first = bootstrap(
        History(model_line=LINE), V0, reason="the start", by=ADA, now=START
    )  # what the start does
    assert (
        promote(
            History(model_line=LINE, entries=(first,)),
            V1,
            gate=a_gate_report(),
            reason="so",
            by=ADA,
            now=START,
        ).version
        == V1
    )
