"""A fault at every durable step: killed, input/output error, disk full; before the step and after it."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select

from daemon.config.settings import DeadLettersSection
from daemon.domain.alarms import Triage
from daemon.domain.answer_pairs import AnswerPair
from daemon.domain.conversation import Feedback
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.halts import Halt, HaltKind, OffsetChange
from daemon.domain.runs import Run, RunState
from daemon.domain.windows import ReferenceCause
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import open_ledger, reader
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm, StoredDetector
from daemon.ledger.erasures import ErasureLedger, Subject
from daemon.ledger.freezes import FreezeLedger
from daemon.ledger.gate_answers import GateAnswerLedger
from daemon.ledger.halts import HaltLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lesson_scores import LessonPart, LessonScoreLedger, ScoredPart
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import NewReport
from daemon.ledger.runs import RunLedger
from daemon.ledger.signals import SignalLedger
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.release.register import DAEMON, register_base, register_run
from daemon.retention.conversations import ConversationRetention
from daemon.retention.history import HistoryRetention
from daemon.training.dataset import build_dataset
from daemon.training.planned_run import PlannedRun, from_json, to_json
from learners.models.artifact import write_artifact
from learners.types import RunResult, TrainRequest
from monitors.types import Outcome
from registry.artifacts import FsspecArtifactStore
from registry.directory_target import DirectoryTarget
from registry.names import VersionName
from registry.ordering import hold
from registry.sql import SqlStore
from registry.transitions import promote
from registry.types import Actor
from tests.factories.daemon import a_gate_report
from tests.factories.ledger import NOW, TOPIC, a_batch, a_conversation, a_dead_letter, a_feedback, spread
from tests.factories.retention import some_retention
from tests.factories.stores import some_settings
from tests.support.faults import KILLED, Fault, Kind, steps_of_the_program, watched

LINE = "chat"
V1 = VersionName(LINE, 1)
#: Steps of other suites: the lease's own contract, checkpoints (which need torch), backups and moves, what only reads on, and the
#: calls of the teacher, of which a kill leaves a trace (test_teacher.py).
ELSEWHERE = {
    *("lease.take", "lease.renew", "lease.release", "lease.first", "checkpoint", "checkpoint.sync"),
    *("teacher.begin", "teacher.finish", "teacher.discard"),
    *("backup.sync", "backup.replace", "restore.decide", "restore.move", "restore.server"),
    "migrate.server",
}


def verdict(window: int, finding: str) -> VerdictRow:
    return VerdictRow(
        window=window, monitor="mmd", finding=finding, score=1.0, threshold=0.1, reason="so", triggers=True
    )


class Daemon:
    """What the stages do to what is durable, in their order. Started again, it goes on from what is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
        self.intake = IntakeLedger(
            self.engine, window_size=20, dead_letters=DeadLettersSection(max_run=5, among=20)
        )
        self.halts = HaltLedger(self.engine)
        self.letters = DeadLetterLedger(self.engine)
        self.windows = WindowLedger(self.engine)
        self.references = ReferenceLedger(self.engine)
        self.freezes = FreezeLedger(self.engine)
        self.detectors = DetectorLedger(self.engine)
        self.talks = ConversationLedger(self.engine)
        self.decisions = DecisionLedger(self.engine)
        self.runs = RunLedger(self.engine)
        self.lesson_scores = LessonScoreLedger(self.engine)
        self.gate_answers = GateAnswerLedger(self.engine)
        self.signals = SignalLedger(self.engine)
        self.triages = TriageLedger(self.engine)
        self.erasures = ErasureLedger(self.engine)
        self.store = SqlStore(self.engine, reads=reader(self.engine))
        self.artifacts = FsspecArtifactStore(f"file://{folder / 'artifacts'}", cache=folder / "cache")
        self.target = DirectoryTarget(folder / "target")

    def run(self) -> None:
        """Do everything that is not done yet."""
        for stage in (
            self._start,
            self._read,
            self._set_aside,
            self._judge,
            self._refer,
            self._look_into,
            self._train,
            self._release,
            self._forget,
            self._prune,
        ):
            stage()

    def close(self) -> None:
        self.engine.dispose()

    def _start(self) -> None:
        register_base(self.store, model_line=LINE, base="b", base_digest="d" * 64, clock=lambda: NOW)
        if self.windows.reference() is None:
            self.references.start(f"{LINE}-v0", size=20, after_seq=0, now=NOW)

    def _read(self) -> None:
        """The topic has 60 conversations; the polls bring twenty each, and some again."""
        while (first := self.intake.next_offsets().get((TOPIC, 0), 0)) < 60:
            again = max(0, first - 5)
            batch = [
                spread(
                    a_conversation(
                        n,
                        user=f"u{n % 7}",
                        held_out=n % 7 == 0,
                        feedback=Feedback(thumb="down") if n % 9 == 0 else None,
                        at=NOW + timedelta(hours=n),
                    )
                )
                for n in range(again, first + 20)
            ]
            self.intake.record(a_batch(batch))
        if self.talks.last_seq() > 60:
            return  # those that come late are in the open window
        if self.windows.close_aged_window(max_age_s=1, min_size=1, now=NOW + timedelta(hours=1)):
            pytest.fail("no window is open")

    def _set_aside(self) -> None:
        """Five records can't be used: intake halts, an operator resumes, the topic gets the dead letters."""
        if self.intake.next_offsets()[TOPIC, 0] < 65:
            self.intake.record(a_batch(dead_letters=[a_dead_letter(n) for n in range(60, 65)]))
        open_halt = self.halts.current()
        if open_halt is not None and open_halt.kind is HaltKind.DEAD_LETTERS:
            self.halts.resume(by="ada", why="mended", now=NOW + timedelta(seconds=1))
        if waiting := self.letters.unpublished(10):
            self.letters.mark_published([stored.id for stored in waiting], NOW)
        if not self.letters.newest(1)[0].requeued_at:
            self.letters.mark_requeued([stored.id for stored in self.letters.newest(9)], NOW)
        if len(self.halts.recent(9)) == 1:
            self.halts.halt(Halt(kind=HaltKind.OPERATOR, reason="wait", at=NOW))
        if self.halts.current() is not None:
            self.halts.reset(
                [OffsetChange(topic=TOPIC, partition=0, before=None, after=65, at=NOW, by="ada", why="so")],
                topic_id=None,
            )
        if (
            self.talks.last_seq() < 65
        ):  # five more, which wait in the open window until it is closed for its age
            late = [
                spread(a_conversation(n, user="late", at=NOW + timedelta(hours=n))) for n in range(65, 70)
            ]
            self.intake.record(a_batch(late, feedback=[a_feedback(70, "never came")]))
        self.windows.close_aged_window(max_age_s=1, min_size=5, now=NOW + timedelta(hours=1))

    def _judge(self) -> None:
        detector = StoredDetector(reference_id=1, seq=70, state={"count": 50}, at=NOW)
        if self.detectors.stored(1) is None:
            self.detectors.store(detector)
        if not self.detectors.newest(1):
            raised = RaisedAlarm(seq=65, since_seq=60, evidence={"input": 1e6}, at=NOW)
            self.detectors.raise_alarm(detector, raised)
        if not self.signals.last_drawn(f"{LINE}-v0"):
            self.signals.add_losses(f"{LINE}-v0", {69: (2.0, 5), 70: (3.0, 5)})
        self.windows.skip_waiting(lambda number: verdict(number, "stable"), keep=1, seen=40, now=NOW)
        while (window := self.windows.next_to_judge()) is not None:
            self.windows.record_judgement(
                window,
                [verdict(window.number, "drift")],
                finding="drift",
                reference_id=1,
                explanation=None,
                report=NewReport(html=b"a page", conversations=25),
                now=NOW,
            )

    def _refer(self) -> None:
        """The reference spans ever more; an operator freezes it, fixes another and lets it go."""
        self.references.widen(days=7, now=NOW)
        newest = self.references.newest()
        assert newest is not None
        if newest.cause is ReferenceCause.WIDENED:
            self.freezes.freeze(by="ada", why="the fair", now=NOW)
            self.references.set_to_newest(f"{LINE}-v0", 30, size=20, by="ada", why="the fair", now=NOW)
        if self.references.frozen():
            self.freezes.unfreeze(by="ada", now=NOW)

    def _look_into(self) -> None:
        """Whether the change hurts; the decision to train takes it into account."""
        self.triages.record(
            Triage(
                window=1, reference_id=1, since_seq=21, version=f"{LINE}-v0", outcome=Outcome.TRAIN, reason="it hurts",
                numbers={"loss": 0.5}, examples=("c30",), at=NOW,
            )
        )  # fmt: skip

    def _train(self) -> None:
        if self.decisions.open_decision() is None and not self.runs.recent(1):
            if self.decisions.open_request() is None:
                self.decisions.request_training(by="ada", reason="now", now=NOW)
            wish = self.decisions.open_request()
            self.decisions.decide(
                Decision(at=NOW, trigger=Trigger.MANUAL, action=Action.TRAIN, reason="asked", since_seq=21),
                answers=wish,
                triage=self.triages.undecided(),
            )
        if (decision := self.decisions.open_decision()) is not None:
            self._begin(decision.id or 0)
        run = self.runs.running()
        if run is not None:
            self._finish(run)

    def _begin(self, decision: int) -> None:
        folder = self.folder / "runs" / "r1"
        settings = some_settings(self.folder, learning={"replay_share": 0.2, "seed": 1})
        dataset = build_dataset(self.talks, settings, since_seq=21, path=folder / "data.jsonl")
        request = TrainRequest(
            run="r1", base=Path("/b"), base_digest="d" * 64, parent=None, data=dataset.path,
            data_digest=dataset.digest, output=folder / "artifact",
        )  # fmt: skip
        planned = PlannedRun(request=request, dataset=dataset, parent=None, until_seq=60)
        self.runs.start(
            Run(
                id="r1", decision_id=decision, state=RunState.RUNNING, request=to_json(planned), started_at=NOW,
                since_seq=21, until_seq=60,
            ),
            dataset.records,
        )  # fmt: skip

    def _finish(self, run: Run) -> None:
        planned = from_json(run.request, records=self.runs.training_records(run.id))
        self.runs.note_progress(run.id, {"step": 1})
        shutil.rmtree(planned.request.output, ignore_errors=True)
        digest = write_artifact(planned.request.output, {"adapter_model.safetensors": b"weights"})
        result = RunResult(
            run=run.id, artifact=planned.request.output, digest=digest, steps=1, tokens=1, target_tokens=1,
            conversations=len(planned.dataset.records), first_loss=2.0, last_loss=1.0, seconds=1.0, packages={},
        )  # fmt: skip
        register_run(
            self.store, self.artifacts, planned, result, model_line=LINE, base="b", clock=lambda: NOW
        )  # fmt: skip
        self.runs.end(run.id, RunState.FINISHED, now=NOW, result={**asdict(result), "artifact": ""})

    def _release(self) -> None:
        part = ScoredPart(seq=1, part=LessonPart.LESSON, digest="d")
        if not self.lesson_scores.of(str(V1), [part]):
            self.lesson_scores.add(str(V1), {part: (2.0, 5)})
        if not self.gate_answers.of(str(V1)):
            pair = AnswerPair(question="q", good="g", live="l", candidate="c")
            self.gate_answers.add(str(V1), 1, [(1, pair)])
        if not self.store.gate_reports(V1):
            self.store.add_gate_report(V1, a_gate_report(), at=NOW)
        history = self.store.history(LINE)
        if history.live != V1:
            gate = self.store.gate_reports(V1)[-1]
            entry = promote(history, V1, gate=gate, reason="better", by=DAEMON, now=NOW, force=True)
            self.store.append(entry, expected=history.position)
        reference = self.references.newest()
        assert reference is not None
        if reference.cause is ReferenceCause.OPERATOR:
            self.references.restore(f"{LINE}-v0", NOW)
        if self.store.orders(LINE).number == 0:
            history, orders = self.store.history(LINE), self.store.orders(LINE)
            ada = Actor(kind="operator", name="ada")
            self.store.add_order(hold(history, orders, reason="the audit", by=ada, now=NOW))
        if self.target.current() != V1:
            version = self.store.version(V1)
            self.target.serve(version, self.artifacts.fetch(version.artifact or "", version.digest), now=NOW)

    def _forget(self) -> None:
        if not self.erasures.log():
            who = Subject(kind="user", id="u3", hash="u3")
            self.erasures.erase(who, by="ada", why="asked", now=NOW)

    def _prune(self) -> None:
        """Ten conversations of each side stay and a sample, the scores of one version, and feedback waits no longer."""
        retention = ConversationRetention(self.engine, lambda: some_retention(conversations=10, sample=5))
        while retention.prune(NOW):
            pass
        retention.prune_feedback(NOW + timedelta(days=31))
        HistoryRetention(self.engine, some_retention).prune(NOW, scored=[str(V1)])


def state(folder: Path) -> dict[str, object]:
    """Every row of every table, and every file with its digest; what a crash may leave behind is left out."""
    engine = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    metadata = MetaData()
    with reader(engine).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        metadata.reflect(connection)
        rows = {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
        }
    engine.dispose()
    files = {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes().replace(str(folder).encode(), b"")
        ).hexdigest()
        for place in ("target/live.json", "runs/r1/data.jsonl", "runs/r1/artifact", "artifacts")
        for path in _files(folder / place)
    }
    return {"tables": rows, "files": files}


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    elif place.is_dir():
        yield from (
            path
            for path in sorted(place.rglob("*"))
            if path.is_file() and path.suffix in (".json", ".safetensors")
        )


def undisturbed(folder: Path) -> list[tuple[str, str]]:
    with watched() as passed:
        daemon = Daemon(folder)
        daemon.run()
        daemon.close()
    return list(passed)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run without a fault leaves, and the tables after each of its steps."""

    final: dict[str, object]
    tables: list[object]


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    daemon = Daemon(folder)
    tables = [relative(state(folder), folder)["tables"]]
    with watched(note=lambda: tables.append(relative(state(folder), folder)["tables"])):
        daemon.run()
    daemon.close()
    return Undisturbed(relative(state(folder), folder), tables)


def relative(found: dict[str, object], folder: Path) -> dict[str, object]:
    """A state without the name of its folder."""
    return {kind: _without(part, str(folder)) for kind, part in found.items()}


def _without(part: object, name: str) -> object:
    if isinstance(part, dict):
        return {key: _without(value, name) for key, value in part.items()}
    if isinstance(part, list):
        return [str(item).replace(name, "FOLDER") for item in part]
    return part


def test_the_workload_passes_every_step_of_the_program(tmp_path: Path) -> None:
    passed = {step for step, _ in undisturbed(tmp_path)}

    assert steps_of_the_program() - ELSEWHERE - passed == set()


def killed_in_a_child(act: Callable[[], None]) -> int:
    """Run something in a fork of this process; returns its exit status."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def struck(folder: Path, fault: Fault) -> bool:
    """Run into the fault; whether it struck."""

    def run() -> None:
        with watched(fault):
            daemon = Daemon(folder)
            try:
                daemon.run()
            finally:
                daemon.close()

    if fault.kind == "killed":
        return killed_in_a_child(run) == KILLED
    with pytest.raises(OSError, match=fault.kind):
        run()
    return fault.struck


@pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)  # the fork, from 3.12 on
@pytest.mark.parametrize("kind", ["killed", "EIO", "ENOSPC"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", sorted(steps_of_the_program() - ELSEWHERE))
def test_after_a_fault_the_next_start_ends_where_an_undisturbed_run_does(
    step: str, moment: str, kind: Kind, undisturbed_run: Undisturbed, tmp_path: Path
) -> None:
    assert struck(tmp_path, Fault(step, moment, kind))

    halfway = relative(state(tmp_path), tmp_path)["tables"]
    undisturbed(tmp_path)

    assert halfway in undisturbed_run.tables  # the old state or the new one, and nothing between
    assert relative(state(tmp_path), tmp_path) == undisturbed_run.final
