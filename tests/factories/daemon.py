"""A model line with a past, for tests of what operators see and do: each step writes what the daemon would write."""

import gzip
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.config.loader import dump
from daemon.config.settings import Settings
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.runs import Run, RunState
from daemon.domain.windows import SeqRange
from daemon.ledger.reports import NewReport
from daemon.ledger.stores import Stores, open_stores
from daemon.ledger.windows import VerdictRow
from daemon.release.log_follower import LogFollower
from daemon.release.publish import publish_live
from daemon.release.register import DAEMON, register_base, register_run
from daemon.telemetry.metrics import Metrics
from daemon.training.dataset import build_dataset
from daemon.training.planned_run import PlannedRun, to_json
from learners.models.artifact import write_artifact
from learners.types import Progress, RunResult, TrainRequest
from registry.names import VersionName
from registry.transitions import promote
from registry.types import GateReport, GateVerdict, SliceReport, Version
from tests.factories.ledger import a_batch, a_dead_letter, some_conversations

#: A report's page; of one conversation, so that it goes when all do.
A_REPORT = NewReport(html=gzip.compress("<p>退款</p>".encode()), conversations=1)
START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LINE = "support-bot"


@dataclass(kw_only=True, slots=True)
class Line:
    """A model line in a folder. Its clock moves a minute with every step."""

    config: Path
    settings: Settings
    stores: Stores
    now: datetime = START
    read: int = 0  # offsets so far
    planned: dict[str, PlannedRun] = field(default_factory=dict)

    def clock(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def add_conversations(self, count: int) -> None:
        """That many more conversations, every ninth held out."""
        new = some_conversations(self.read, count, held_out_every=9)
        self.stores.intake.record(a_batch(new, at=self.clock()))
        self.read += count

    def dead_letter(self) -> None:
        """A record that can't be used."""
        self.stores.intake.record(a_batch(dead_letters=[a_dead_letter(self.read)], at=self.clock()))
        self.read += 1

    def judge(self, finding: str) -> int:
        """The monitors' word on the oldest window that waits."""
        window, reference = self.stores.windows.next_to_judge(), self.stores.windows.reference()
        assert window is not None
        assert reference is not None
        score = 0.31 if finding == "drift" else 0.02
        alarm = self.stores.windows.alarm(after_seq=self.stores.runs.learned_until())
        row = VerdictRow(
            window=window.number, monitor="e_detector" if alarm is None else "mmd", finding=finding, score=score, threshold=0.1,
            reason=f"the texts' distance is {score}", numbers={"p": 0.001}, triggers=True,
        )  # fmt: skip
        explanation = {
            "window_id": str(window.number),
            "changes": [
                {"aspect": "word", "name": "退款", "reference": 0.001, "window": 0.12, "score": 9.5},
                {"aspect": "descriptor", "name": "length", "reference": 40.0, "window": 90.0, "score": 4.0},
            ],
            "examples": ["c71", "c75"],
            "share_new": 0.8,
            "topics": [
                {"words": ["退款", "订单"], "reference": 0.01, "window": 0.4, "false_discovery": 0.001},
            ],
            "domain": {
                "auc": 0.91, "lower": 0.86, "upper": 0.96,
                "words": [{"word": "退款", "strength": 0.7, "mean": 0.5, "having": 1.2}],
            },
        }  # fmt: skip
        self.stores.windows.record_judgement(
            window,
            [row],
            finding=finding,
            reference_id=reference.id,
            explanation=explanation if finding == "drift" else None,
            report=A_REPORT if finding == "drift" else None,
            now=self.clock(),
        )
        return window.number

    def decide(
        self,
        action: Action,
        reason: str,
        *,
        trigger: Trigger | None = None,
        window: int | None = None,
        since: int = 1,
    ) -> Decision:
        """A decision on a window."""
        decision = Decision(
            at=self.clock(), trigger=trigger, action=action, reason=reason, since_seq=since, window=window
        )
        return self.stores.decisions.decide(decision)

    def start_run(self, decision: Decision, *, replay_share: float = 0.1) -> Run:
        """A run that goes on."""
        assert decision.id is not None
        run_id = f"r{self.stores.runs.next_number()}"
        folder = self.settings.state_dir / "runs" / run_id
        folder.mkdir(parents=True)
        learning = self.settings.learning.model_copy(update={"replay_share": replay_share})
        dataset = build_dataset(
            self.stores.conversations,
            self.settings.model_copy(update={"learning": learning}),
            since_seq=decision.since_seq,
            path=folder / "data.jsonl",
        )
        request = TrainRequest(
            run=run_id, base=Path(self.settings.model.base), base_digest="b" * 64, parent=None, data=dataset.path,
            data_digest=dataset.digest, output=folder / "artifact",
        )  # fmt: skip
        self.planned[run_id] = planned = PlannedRun(
            request=request,
            dataset=dataset,
            parent=None,
            until_seq=self.stores.conversations.last_seq(),
        )
        run = Run(
            id=run_id, decision_id=decision.id, state=RunState.RUNNING, request=to_json(planned),
            started_at=self.clock(), since_seq=decision.since_seq, until_seq=planned.until_seq,
        )  # fmt: skip
        self.stores.runs.start(run, dataset.records)
        progress = Progress(
            phase="training", step=12, steps=40, loss=1.9, learning_rate=1e-4, tokens=12_000,
            tokens_per_s=400.0, seconds_left=70.0, rss_bytes=10**9,
        )  # fmt: skip
        self.stores.runs.note_progress(run_id, asdict(progress))
        return run

    def finish_run(
        self,
        run: Run,
        *,
        skipped_lines: Mapping[str, tuple[int, ...]] | None = None,
        left_out_answers: Mapping[str, int] | None = None,
    ) -> Version:
        """What a run that went well leaves behind."""
        skipped = dict(skipped_lines or {})
        planned = self.planned[run.id]
        output = planned.request.output
        digest = write_artifact(output, {"adapter_model.safetensors": run.id.encode()})
        result = RunResult(
            run=run.id, artifact=output, digest=digest, steps=40, tokens=40_000,
            target_tokens=20_000, conversations=54, first_loss=2.4, last_loss=1.8, seconds=100.0,
            packages={"torch": "2.13.0", "peft": "0.21.2"},
            skipped={reason: len(lines) for reason, lines in skipped.items()}, skipped_lines=skipped,
            left_out_answers=left_out_answers or {},
        )  # fmt: skip
        version = register_run(
            self.stores.versions, self.stores.artifacts, planned, result,
            model_line=LINE, base=self.settings.model.base, clock=self.clock,
        )  # fmt: skip
        self.stores.runs.end(
            run.id,
            RunState.FINISHED,
            now=self.clock(),
            result={**asdict(result), "artifact": str(result.artifact)},
            skipped=skipped,
        )
        return version

    def gate(self, name: VersionName, verdict: GateVerdict = GateVerdict.PROMOTE) -> GateReport:
        """The gate's word on a candidate."""
        looks = len(self.stores.versions.gate_reports(name))
        report = a_gate_report(verdict, look=looks + 1)
        self.stores.versions.add_gate_report(name, report, at=self.clock())
        return report

    def promote(self, name: VersionName, report: GateReport) -> None:
        """The daemon's promotion of a version that passed."""
        history = self.stores.versions.history(LINE)
        entry = promote(history, name, gate=report, reason=report.reason, by=DAEMON, now=self.clock())
        self.stores.versions.append(entry, expected=history.position)
        publish_live(self.stores, model_line=LINE, clock=self.clock)

    def follow(self) -> None:
        """The reference of the live version begins, as the daemon begins it after a promotion or a rollback."""
        metrics, history = Metrics(), self.stores.versions.history(LINE)
        LogFollower(self.stores, self.settings, metrics=metrics, clock=self.clock).follow(history)

    def damage(self, name: VersionName) -> None:
        """Alter the stored weights of a version."""
        version = self.stores.versions.version(name)
        assert version.artifact is not None
        folder = self.stores.artifacts.local_folder(version.artifact, version.digest)
        (folder / "adapter_model.safetensors").write_bytes(b"other")

    def drift(self) -> Decision:
        """A stable window, one with drift, another with drift; waiting for data, then the decision to train."""
        self.add_conversations(60)
        calm, first, second = self.judge("stable"), self.judge("drift"), self.judge("drift")
        found = self.stores.windows.window(first)
        assert found is not None
        since = found.window.range.first
        self.decide(Action.NONE, "no drift and no other reason to train", window=calm)
        self.decide(
            Action.WAIT, f"drift since window {first}; waits for data: 18 of 30 new lessons",
            trigger=Trigger.DRIFT, window=first, since=since,
        )  # fmt: skip
        return self.decide(
            Action.TRAIN, f"drift since window {first}; 36 new lessons",
            trigger=Trigger.DRIFT, window=second, since=since,
        )  # fmt: skip

    def candidate(self) -> VersionName:
        """Drift, and what was trained on it; the gate has not answered."""
        return self.finish_run(self.start_run(self.drift())).name

    def promoted(self) -> VersionName:
        """Drift, a training, the gate's yes, the promotion."""
        name = self.candidate()
        self.promote(name, self.gate(name))
        return name


def a_line(folder: Path, **changes: object) -> Line:
    """A model line after its first start: the base is live, its reference is filled, one record was unusable."""
    settings = line_settings(folder, **changes)
    config = folder / "retuned.yaml"
    config.write_text(dump(settings), encoding="utf-8")
    line = Line(config=config, settings=settings, stores=open_stores(settings))
    register_base(
        line.stores.versions,
        model_line=LINE,
        base=settings.model.base,
        base_digest="b" * 64,
        clock=line.clock,
    )
    publish_live(line.stores, model_line=LINE, clock=line.clock)
    line.stores.references.start(f"{LINE}-v0", size=50, after_seq=0, now=line.clock())
    line.add_conversations(50)
    line.dead_letter()
    reference = line.stores.windows.reference()
    assert reference is not None
    assert reference.range == SeqRange(first=1, last=50)
    return line


def line_settings(folder: Path, **changes: object) -> Settings:
    """Settings whose state is in a folder, and whose addresses nobody answers at."""
    values: dict[str, object] = {
        "model_line": LINE,
        "state_dir": folder / "state",
        "model": {"base": str(folder / "model")},
        "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
        "windows": {"size": 20, "min_size": 10, "reference_size": 50, "reference_days": 0},
        "policy": {"min_new_lessons": 30},
        "http": {"port": 1},
    }
    return Settings.model_validate(values | changes)


def a_gate_report(verdict: GateVerdict = GateVerdict.PROMOTE, *, look: int = 1) -> GateReport:
    """A report on a slice that has to be won and one that must not be lost."""
    return GateReport(
        verdict=verdict,
        reason=f"better on new conversations by 0.2 nats: {verdict}",
        alpha=0.05,
        look=look,
        slices=(
            a_slice("new conversations", "target", verdict, difference=-0.2),
            a_slice("old conversations", "protected", GateVerdict.PROMOTE, difference=0.001),
        ),
    )


def a_slice(name: str, role: str, verdict: GateVerdict, *, difference: float) -> SliceReport:
    """One slice's comparison."""
    return SliceReport(
        name=name, role=role, conversations=40, clusters=35, live_loss=2.4, candidate_loss=2.4 + difference,
        difference=difference, lower=difference - 0.01, upper=difference + 0.01, verdict=verdict,
        needed=25 if verdict is GateVerdict.INCONCLUSIVE else 0, reason=f"{difference} nats",
    )  # fmt: skip
