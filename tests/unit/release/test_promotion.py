from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from daemon.domain.decisions import Action
from daemon.ledger.stores import target_dir
from daemon.release.promotion import Overtaken, promote_version, roll_back_version
from daemon.release.publish import publish_live
from registry.artifacts import BadArtifact
from registry.directory_target import POINTER, DirectoryTarget
from registry.history import History
from registry.names import VersionName
from registry.sql import SqlStore
from registry.store import VersionNotFound
from registry.transitions import GateNotPassed, NothingToRollBack, NotJudged, ReasonMissing, roll_back
from registry.transitions import promote as registry_promote
from registry.types import Actor, GateVerdict, Promotion, PromotionKind, Version
from tests.factories.daemon import LINE, Line, a_line

ADA = Actor(kind="operator", name="ada")
V0, V1 = VersionName(LINE, 0), VersionName(LINE, 1)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


class Hurried(SqlStore):
    """A store in which somebody else rolls back just before an entry is appended."""

    def append(self, entry: Promotion, *, expected: int, orders: int | None = None) -> None:
        history = self.history(entry.model_line)
        first = roll_back(
            history, to=None, reason="first", by=Actor(kind="operator", name="bob"), now=entry.at
        )
        super().append(first, expected=history.position)
        super().append(entry, expected=expected, orders=orders)


def log(line: Line) -> History:
    return line.stores.versions.history(LINE)


def promote(line: Line, name: VersionName, *, reason: str = "", force: bool = False) -> Promotion:
    return promote_version(line.stores, name, reason=reason, force=force, by=ADA, clock=line.clock)


def back(line: Line, to: VersionName | None = None) -> Promotion:
    return roll_back_version(
        line.stores, model_line=LINE, to=to, reason="wrong refunds", by=ADA, clock=line.clock
    )


def test_a_version_that_passed_is_promoted_and_served(line: Line) -> None:
    name = line.candidate()
    report = line.gate(name)

    entry = promote(line, name)

    assert log(line).entries[-1] == entry
    assert (entry.by, entry.gate, entry.forced, entry.reason) == (ADA, report, False, report.reason)
    assert line.stores.target.current() == name


def test_the_gates_last_word_counts(line: Line) -> None:
    name = line.candidate()
    line.gate(name, GateVerdict.INCONCLUSIVE)
    line.gate(name, GateVerdict.REJECT)

    with pytest.raises(GateNotPassed, match="reject"):
        promote(line, name)

    assert line.stores.target.current() == V0


def test_a_version_that_was_not_judged_is_refused_unless_forced_with_a_reason(line: Line) -> None:
    name = line.candidate()

    with pytest.raises(NotJudged):
        promote(line, name)
    with pytest.raises(ReasonMissing):
        promote(line, name, force=True)

    assert promote(line, name, force=True, reason="the law changed").forced


def test_a_version_that_does_not_exist_is_refused(line: Line) -> None:
    with pytest.raises(VersionNotFound, match="v9"):
        promote(line, VersionName(LINE, 9))


def test_a_damaged_artifact_is_neither_logged_nor_served(line: Line) -> None:
    name = line.candidate()
    line.gate(name)
    line.damage(name)

    with pytest.raises(BadArtifact):
        promote(line, name)

    assert log(line).live == V0
    assert line.stores.target.current() == V0


def test_rolling_back_serves_the_version_before(line: Line) -> None:
    line.promoted()

    entry = back(line)

    assert (entry.kind, entry.previous, entry.version) == (PromotionKind.ROLLBACK, V1, V0)
    assert line.stores.target.current() == V0


def test_there_is_nothing_to_roll_back_to_before_the_base(line: Line) -> None:
    with pytest.raises(NothingToRollBack):
        back(line)


def test_a_rollback_that_comes_second_changes_nothing_and_says_who_was_first(line: Line) -> None:
    line.promoted()
    hurried = replace(line.stores, versions=Hurried(line.stores.engine))

    with pytest.raises(Overtaken, match=f"{V0} went live .*by bob: first"):
        roll_back_version(hurried, model_line=LINE, to=None, reason="second", by=ADA, clock=line.clock)

    assert [entry.reason for entry in log(line).entries][2:] == ["first"]


def test_putting_live_again_changes_nothing(line: Line) -> None:
    assert not publish_live(line.stores, model_line=LINE, clock=line.clock)


def test_a_target_that_fell_behind_is_moved(line: Line) -> None:
    line.promoted()
    base = line.stores.versions.version(V0)
    line.stores.target.serve(base, None, now=line.now)

    assert publish_live(line.stores, model_line=LINE, clock=line.clock)

    assert line.stores.target.current() == V1


def test_a_damaged_pointer_is_written_anew(line: Line) -> None:
    (line.settings.state_dir / "target" / POINTER).write_text("{")

    assert publish_live(line.stores, model_line=LINE, clock=line.clock)

    assert line.stores.target.current() == V0


def test_an_entry_that_lands_during_the_switch_is_followed(line: Line) -> None:
    line.promoted()
    target = line.stores.target

    class Slow:
        """A target during whose first switch somebody rolls back."""

        def current(self) -> VersionName | None:
            return target.current()

        def serves(self, version: Version, artifact: Path | None) -> bool:
            return target.serves(version, artifact)

        def serve(self, version: object, artifact: Path | None, *, now: object) -> None:
            history = log(line)
            if history.live == V1:
                entry = roll_back(history, to=None, reason="meanwhile", by=ADA, now=line.clock())
                line.stores.versions.append(entry, expected=history.position)
            target.serve(line.stores.versions.version(V1 if artifact else V0), artifact, now=line.clock())

    target.serve(line.stores.versions.version(V0), None, now=line.now)
    publish_live(replace(line.stores, target=Slow()), model_line=LINE, clock=line.clock)

    assert target.current() == log(line).live == V0


class StoppedTarget(DirectoryTarget):
    """A target whose writer is stopped between reading the log and writing, while another puts a version live."""

    def __init__(self, line: Line, other: VersionName) -> None:
        super().__init__(target_dir(line.settings))
        self._line = line
        self._other: VersionName | None = other

    def serve(self, version: Version, artifact: Path | None, *, now: datetime) -> None:
        other, self._other = self._other, None
        if other is not None:
            promote(self._line, other, reason="meanwhile", force=True)
        super().serve(version, artifact, now=now)


def test_a_writer_that_was_stopped_half_way_ends_with_what_the_log_says(line: Line) -> None:
    first = line.candidate()
    second = line.finish_run(line.start_run(line.decide(Action.TRAIN, "again"))).name
    slow = replace(line.stores, target=StoppedTarget(line, second))
    history = log(line)
    line.stores.versions.append(
        registry_promote(history, first, gate=None, reason="so", by=ADA, now=line.clock(), force=True),
        expected=history.position,
    )

    publish_live(slow, model_line=LINE, clock=line.clock)

    assert log(line).live == second
    assert line.stores.target.current() == second
