"""Status, why, drift, decisions, metrics and the page say the same, whatever happened to the line."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rich.console import Console

from daemon.cli.render.drift import drift_screen
from daemon.cli.render.status import status_screen
from daemon.cli.render.status_summary import needs_of
from daemon.cli.render.why import recent_tree
from daemon.config.live import LiveSettings
from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.json_values import json_value
from daemon.domain.runs import Run, RunState
from daemon.domain.situation import CALM, SituationState, sentence_of
from daemon.http.app import build_app
from daemon.http.health import Health
from daemon.http.limits import Limits
from daemon.http.probe import DaemonHealth
from daemon.http.served import LineReports, ReportSources
from daemon.ledger.freezes import FreezeLedger
from daemon.ledger.situation import gate_is_open, read_situation
from daemon.ledger.windows import VerdictRow
from daemon.release.orders import reject_version
from daemon.release.promotion import roll_back_version
from daemon.runtime.situation_stage import SituationStage
from daemon.telemetry.metrics import Metrics
from daemon.training.decide_stage import DecideStage
from daemon.views.drift import drift_view
from daemon.views.status import StatusView, status_view
from daemon.views.why import recent_activity
from monitors.types import Outcome
from registry.names import VersionName
from registry.types import Actor, GateVerdict
from tests.factories.daemon import LINE, Line, a_line

HEALTHY = DaemonHealth(url="http://127.0.0.1:8080", running=True, ready=True)
ADA = Actor(kind="operator", name="ada")


def text_of(screen: object) -> str:
    """What a screen says, in one line."""
    console = Console(width=10_000, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(screen)
    return " ".join(captured.get().split())


def gauge_of(line: Line) -> dict[str, float]:
    """The series of the gauge of the situation."""
    metrics = Metrics()
    SituationStage(
        lambda: read_situation(line.stores, line.settings), metrics=metrics, clock=lambda: line.now
    ).step()
    shown = metrics.exposition("")[1].decode().splitlines()
    series = [row for row in shown if row.startswith("retuned_situation{")]
    return {row.split('"')[1]: float(row.split()[-1]) for row in series}


def page_of(line: Line) -> dict[str, Any]:
    """The page of reports, for programs."""
    app: Any = build_app(
        Metrics(),
        Health(clock=lambda: 0.0, components=()),
        ReportSources(
            only=LineReports(
                ledger=line.stores.reports,
                read_situation=lambda: read_situation(line.stores, line.settings),
            )
        ),
        access="local",
        limits=Limits(),
    )
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "query_string": b"",
        "path": "/reports", "raw_path": b"/reports", "root_path": "", "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 9464), "headers": [(b"host", b"localhost:9464")],
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    found: dict[str, Any] = json.loads(b"".join(part.get("body", b"") for part in sent))
    return found


class Statements:
    """Everything that is said about a line at one moment."""

    def __init__(self, line: Line) -> None:
        self.view: StatusView = status_view(line.stores, line.settings, line.now)
        needs = needs_of(self.view, HEALTHY, None, automatic=True)
        self.status = text_of(status_screen(self.view, HEALTHY, None, needs, verbose=False))
        recent = recent_activity(line.stores, self.view, automatic=True)
        self.why = text_of(recent_tree(recent, None, verbose=False))
        self.drift = text_of(drift_screen(drift_view(line.stores, line.settings), line.now, verbose=False))
        self.document = json_value(self.view)["situation"]  # type: ignore[index]
        self.gauge = gauge_of(line)
        self.page = page_of(line)["situation"]

    def assert_one_voice(self) -> None:
        """Every screen has the sentence, every document the state."""
        said = self.view.situation
        sentence = sentence_of(said.sentence)
        for shown in (self.status, self.why, self.drift):
            assert sentence in shown
        assert f", {said.phrase}, " in self.status
        assert self.document == self.page
        assert self.page["state"] == said.state
        assert [state for state, value in self.gauge.items() if value == 1] == [said.state]
        assert set(self.gauge) == set(SituationState)


class LineHistory(RuleBasedStateMachine):
    """A model line to which anything happens that may happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.line = a_line(Path(self.folder.name))
        self.run: Run | None = None
        self.newest: VersionName | None = None
        self.decided: list[Decision] = []
        self.stage = DecideStage(
            self.line.stores, LiveSettings(self.line.settings), train=self.decided.append, read_pause=lambda: None,
            read_pending_work=self._pending_work,
            read_situation=lambda: read_situation(self.line.stores, self.line.settings), metrics=Metrics(),
            clock=self.line.clock,
        )  # fmt: skip

    def teardown(self) -> None:
        self.line.stores.engine.dispose()
        self.folder.cleanup()

    def _pending_work(self) -> str | None:
        if self.run is not None:
            return f"run {self.run.id}"
        candidate = status_view(self.line.stores, self.line.settings, self.line.now).candidate
        return f"the gate on {candidate.name}" if candidate is not None and candidate.open else None

    @rule(
        raised=st.booleans(),
        confirms=st.sampled_from(["drift", "stable", "inconclusive"]),
        columns=st.booleans(),
    )
    def a_window_is_judged(self, *, raised: bool, confirms: str, columns: bool) -> None:
        """With the detector's word, the confirming monitor's and another's."""
        stores = self.line.stores
        self.line.add_conversations(20)
        window, reference = stores.windows.next_to_judge(), stores.windows.reference()
        if window is None or reference is None or reference.range is None:
            return
        pending = stores.windows.alarm(after_seq=stores.runs.learned_until())
        found = {
            "e_detector": "drift" if raised else "stable" if pending is None else "inconclusive",
            "mmd": confirms,
            "columns": "drift" if columns else "stable",
        }
        triggering = "e_detector" if pending is None else "mmd"
        rows = [
            VerdictRow(
                window=window.number, monitor=monitor, finding=finding, score=1, threshold=1, reason=f"{monitor} says so",
                triggers=monitor == triggering,
            )
            for monitor, finding in found.items()
        ]  # fmt: skip
        stores.windows.record_judgement(
            window, rows, finding=found[triggering], reference_id=reference.id, explanation=None, now=self.line.clock()
        )  # fmt: skip

    @precondition(lambda self: self.run is None)
    @rule(verdict=st.sampled_from([None, *GateVerdict]), rejects=st.booleans())
    def a_change_is_trained_on(self, *, verdict: GateVerdict | None, rejects: bool) -> None:
        """From the alarm to the gate, which answers until it is done, or not yet; an operator may reject the version."""
        for _ in range(2):
            self.a_window_is_judged(raised=True, confirms="drift", columns=False)
        self.run = self.line.start_run(
            self.line.decide(Action.TRAIN, "the stream changed", trigger=Trigger.DRIFT)
        )
        self.the_run_ends(RunState.FINISHED)
        assert self.newest is not None
        if rejects:
            reject_version(self.line.stores, self.newest, reason="no", by=ADA, clock=self.line.clock)
        for _ in range(self.line.settings.gate.max_looks if verdict else 0):
            self.the_gate_answers(verdict or GateVerdict.REJECT)

    @rule()
    def the_daemon_decides(self) -> None:
        self.stage.step()

    @rule(outcome=st.sampled_from(Outcome))
    def an_alarm_is_triaged(self, outcome: Outcome) -> None:
        stores = self.line.stores
        alarm, reference = (
            stores.windows.alarm(after_seq=stores.runs.learned_until()),
            stores.references.newest(),
        )
        if alarm is None or reference is None or not alarm.confirmed:
            return
        stores.triages.record(
            Triage(
                window=alarm.window, reference_id=reference.id, since_seq=alarm.first_seq, version=f"{LINE}-v0",
                outcome=outcome, reason=f"it is {outcome}", numbers={}, examples=(), at=self.line.clock(),
            )
        )  # fmt: skip

    @precondition(lambda self: self.run is None)
    @rule()
    def an_operator_asks_for_a_training(self) -> None:
        self.line.stores.decisions.request_training(by="ada", reason="new", now=self.line.clock())

    @precondition(lambda self: self.run is None and self.decided)
    @rule()
    def a_run_begins(self) -> None:
        decision = self.decided[-1]
        self.decided.clear()
        self.run = self.line.start_run(decision)

    @precondition(lambda self: self.run is not None)
    @rule(state=st.sampled_from([RunState.FINISHED, RunState.FINISHED, RunState.FAILED, RunState.CANCELLED]))
    def the_run_ends(self, state: RunState) -> None:
        run, self.run = self.run, None
        assert run is not None
        if state is RunState.FINISHED:
            self.newest = self.line.finish_run(run).name
        else:
            self.line.stores.runs.end(run.id, state, now=self.line.clock(), error="it did not go well")

    @precondition(lambda self: self.newest is not None)
    @rule(verdict=st.sampled_from(GateVerdict))
    def the_gate_answers(self, verdict: GateVerdict) -> None:
        assert self.newest is not None
        reports = self.line.stores.versions.gate_reports(self.newest)
        live = self.line.stores.versions.promotions_of(self.newest)
        if not live and gate_is_open(reports[-1] if reports else None, self.line.settings):
            self.line.gate(self.newest, verdict)

    @precondition(lambda self: self.newest is not None)
    @rule(follow=st.booleans())
    def what_passed_goes_live(self, *, follow: bool) -> None:
        assert self.newest is not None
        reports = self.line.stores.versions.gate_reports(self.newest)
        if (
            reports
            and reports[-1].verdict is GateVerdict.PROMOTE
            and not self.line.stores.versions.promotions_of(self.newest)
        ):
            self.line.promote(self.newest, reports[-1])
            if follow:
                self.line.follow()

    @rule()
    def the_daemon_follows_the_log(self) -> None:
        self.line.follow()

    @rule()
    def an_operator_rolls_back(self) -> None:
        live = self.line.stores.versions.newest_promotion(LINE)
        if live is not None and live.version.number > 0:
            roll_back_version(
                self.line.stores, model_line=LINE, to=None, reason="rude", by=ADA, clock=self.line.clock
            )

    @rule()
    def the_reference_is_frozen_or_let_go(self) -> None:
        references = self.line.stores.references
        if references.frozen() is None:
            FreezeLedger(self.line.stores.engine).freeze(by="ada", why="audit", now=self.line.clock())
        else:
            FreezeLedger(self.line.stores.engine).unfreeze(by="ada", now=self.line.clock())

    @invariant()
    def all_statements_agree(self) -> None:
        said = Statements(self.line)
        said.assert_one_voice()
        self._assert_true_to_the_ledger(said)

    def _assert_true_to_the_ledger(self, said: Statements) -> None:
        """Facts read independently of the model never contradict it."""
        view, state = said.view, said.view.situation.state
        shown = (said.status, said.why, said.drift)
        reference = view.windows.reference
        alarmed = view.alarm is not None
        if alarmed:
            assert state not in CALM
            assert not said.status.startswith("All is well")
        newest = view.judged[0] if view.judged else None
        if alarmed or (
            newest and reference and newest.reference_id == reference.id and newest.finding == "drift"
        ):
            assert not any("no drift" in text.lower().split("latest decisions")[0] for text in shown)
        candidate = view.candidate
        if (
            candidate
            and candidate.report
            and not candidate.open
            and candidate.report.verdict != "promote"
            and alarmed
        ):
            assert state is not SituationState.AT_GATE

    @invariant()
    def a_decision_that_nothing_called_for_says_what_there_is(self) -> None:
        newest = next(iter(self.line.stores.decisions.recent(1)), None)
        if newest is None or newest.trigger is not None or newest.window is None:
            return
        window = self.line.stores.windows.window(newest.window)
        if window is not None and any(v.finding == "drift" for v in window.verdicts):
            reference = self.line.stores.references.newest()
            same = reference is not None and window.reference_id == reference.id
            assert not (same and newest.reason.startswith("no drift"))


LineHistory.TestCase.settings = settings(
    max_examples=8, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWhateverHappens = LineHistory.TestCase
