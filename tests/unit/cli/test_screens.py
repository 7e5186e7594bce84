"""Every screen at 80 columns, as a picture of text; ``screens.py`` says how to renew them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from daemon.cli.doctor.check import failed, passed
from daemon.cli.render.doctor import checkup_screen
from daemon.cli.render.drift import calibration_screen
from daemon.cli.render.versions import version_screen
from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Trigger
from daemon.domain.halts import Halt, HaltKind
from daemon.domain.runs import RunState
from daemon.drift.detector_state import state_to_json
from daemon.http.probe import DaemonHealth
from daemon.ledger.detectors import RaisedAlarm, StoredDetector
from daemon.release.promotion import roll_back_version
from daemon.views.versions import version_details
from monitors.sequential.calibration import Calibration, Reach, Replay
from monitors.sequential.detector_state import AspectWealth, DetectorState
from monitors.types import PLAIN_ASPECTS, Aspect, Outcome
from registry.types import Actor, GateVerdict
from tests.factories.daemon import LINE, Line, a_line
from tests.factories.ledger import TOPIC, a_batch, a_dead_letter
from tests.fakes.kafka import FakeBroker
from tests.unit.cli.screens import WIDTH, assert_picture, fail_if_renewed, fix_time_and_health, printed

HEALTHY = DaemonHealth(url="http://127.0.0.1:8080", running=True, ready=True, lag=3)
HALTED = replace(HEALTHY, ready=False, problems={"intake": "halted; see `retuned intake show`"})
OPERATOR = Actor(kind="operator", name="ada")


@pytest.fixture(autouse=True)
def renewing() -> Iterator[None]:
    yield
    fail_if_renewed()


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setenv("LOGNAME", "ada")
    return a_line(tmp_path)


@pytest.fixture
def fixed_time(line: Line, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    fix_time_and_health(monkeypatch, line.now, HEALTHY)
    return monkeypatch


def later(line: Line, monkeypatch: pytest.MonkeyPatch, **passed: float) -> None:
    fix_time_and_health(monkeypatch, line.now + timedelta(**passed))


def rendered(screen: object) -> str:
    """What a screen looks like that no command is needed for."""
    console = Console(width=WIDTH, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(screen)
    return captured.get()


def watched(line: Line, wealth: float) -> StoredDetector:
    reference = line.stores.windows.reference()
    assert reference is not None
    wealths = {aspect: AspectWealth() for aspect in PLAIN_ASPECTS} | {
        Aspect.INPUT: AspectWealth(wealth=wealth, since=51)
    }
    state = DetectorState(count=40, wealths=wealths, recent=(51,))
    return StoredDetector(reference_id=reference.id, seq=90, state=state_to_json(state), at=line.now)


def triaged(line: Line, outcome: Outcome, reason: str) -> None:
    alarm = line.stores.windows.alarm(after_seq=0)
    assert alarm is not None
    line.stores.triages.record(
        Triage(
            window=alarm.window, reference_id=1, since_seq=alarm.first_seq, version=f"{LINE}-v0", outcome=outcome,
            reason=reason, numbers={}, examples=("c71", "c75"), at=alarm.at,
        )
    )  # fmt: skip


def test_status_before_the_first_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = a_line(tmp_path)
    line.stores.engine.dispose()
    config = Path("fresh.yaml")
    config.write_text("state_dir: state2\nmodel: {base: x}\nmodel_line: support-bot\n")
    line.config = config

    shown = printed(line, "status").replace(str(tmp_path), "/var/lib/retuned")
    assert_picture("status_not_started", shown)


def test_status_when_all_is_well(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.promoted()
    line.follow()
    line.add_conversations(57)
    line.judge("stable")
    line.judge("stable")
    later(line, fixed_time, hours=7)

    assert_picture("status_all_well", printed(line, "status"))
    assert_picture("status_all_well_verbose", printed(line, "status", "--verbose"))


def test_status_without_a_daemon(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    fix_time_and_health(fixed_time, line.now, replace(HEALTHY, running=False, ready=False, lag=None))

    assert_picture("status_no_daemon", printed(line, "status"))


def test_status_while_drift_waits_for_data(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.add_conversations(60)
    line.judge("stable")
    window = line.judge("drift")
    found = line.stores.windows.window(window)
    assert found is not None
    line.decide(
        Action.WAIT, f"drift since window {window}; waits for data: 18 of 30 new lessons",
        trigger=Trigger.DRIFT, window=window, since=found.window.range.first,
    )  # fmt: skip
    later(line, fixed_time, minutes=12)

    assert_picture("status_drift_waiting", printed(line, "status"))


def test_status_while_training_runs(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.start_run(line.drift())
    later(line, fixed_time, minutes=3)

    assert_picture("status_training", printed(line, "status"))


def test_status_after_a_training_failed(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    run = line.start_run(line.drift())
    error = "OutOfMemory: the training needs more than 12 GiB; use a smaller train.batch_tokens"
    line.stores.runs.end(run.id, RunState.FAILED, now=line.clock(), error=error)
    later(line, fixed_time, minutes=3)

    assert_picture("status_training_failed", printed(line, "status"))


def test_status_while_intake_is_halted(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    reason = (
        "conversations/0: offset 51 is not in the topic, which begins at 3,071; records between were lost"
    )
    line.stores.halts.halt(Halt(kind=HaltKind.OFFSET_LOST, reason=reason, at=line.clock()))
    fix_time_and_health(fixed_time, line.now + timedelta(minutes=41), HALTED)

    assert_picture("status_intake_halted", printed(line, "status"))


def test_status_with_a_candidate_at_the_gate(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.gate(line.candidate(), GateVerdict.INCONCLUSIVE)
    later(line, fixed_time, minutes=30)

    assert_picture("status_candidate", printed(line, "status"))


def test_a_change_that_a_rejected_candidate_left(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.gate(line.candidate(), GateVerdict.REJECT)
    later(line, fixed_time, minutes=30)

    assert_picture("status_unresolved", printed(line, "status"))
    assert_picture("why_unresolved", printed(line, "why", "--not"))


def test_status_where_training_can_not_help(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.drift()
    reason = "training can't help, fix the source: broken conversations +31% (+22% to +40%)"
    triaged(line, Outcome.CANT_HELP, reason)
    later(line, fixed_time, minutes=30)

    assert_picture("status_cant_help", printed(line, "status"))


def test_after_a_rollback(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.promoted()
    line.follow()
    roll_back_version(
        line.stores,
        model_line=LINE,
        to=None,
        reason="它答错了退款问题: wrong refunds",
        by=OPERATOR,
        clock=line.clock,
    )
    line.follow()
    later(line, fixed_time, minutes=2)

    assert_picture("status_after_rollback", printed(line, "status"))
    assert_picture("history", printed(line, "history"))
    assert_picture("versions", printed(line, "versions"))
    assert_picture("why_after_rollback", printed(line, "why", "v0"))


def test_orders(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.promoted()
    line.follow()
    line.start_run(line.decide(Action.TRAIN, "again"))
    shown = [
        printed(line, *words)
        for words in (
            ("hold", "-m", "审计期间: no changes during the audit of the fair's orders"),
            ("hold", "-m", "again"),
            ("pause", "-m", "the machine is needed"),
            ("cancel", "-m", "it learns from the wrong shop"),
        )
    ]
    assert_picture("orders", "".join(shown))
    later(line, fixed_time, hours=3)

    assert_picture("status_orders", printed(line, "status"))
    assert_picture("history_orders", printed(line, "history"))
    assert_picture("why_orders", printed(line, "why", "--not"))
    assert_picture("unhold", printed(line, "unhold", "-m", "the audit is over"))


def test_a_version_that_continues_from_one_that_was_rolled_back(
    line: Line, fixed_time: pytest.MonkeyPatch
) -> None:
    first = line.promoted()
    run = line.start_run(line.decide(Action.TRAIN, "again"))
    line.planned[run.id] = replace(line.planned[run.id], parent=str(first))
    second = line.finish_run(run).name
    roll_back_version(line.stores, model_line=LINE, to=None, reason="rude", by=OPERATOR, clock=line.clock)
    line.gate(second)
    later(line, fixed_time, minutes=5)

    assert_picture("status_barred", printed(line, "status"))
    assert_picture("why_barred", printed(line, "why", "v2"))


def test_why(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.promoted()
    line.follow()

    assert_picture("why", printed(line, "why"))
    assert_picture("why_verbose", printed(line, "why", "v1", "--verbose"))
    assert_picture("lineage", printed(line, "lineage", "v1"))


def test_why_not(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.gate(line.candidate(), GateVerdict.INCONCLUSIVE)

    assert_picture("why_not", printed(line, "why", "--not"))


def test_drift(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    assert_picture("drift_unwatched", printed(line, "drift", "show"))
    line.drift()
    triaged(line, Outcome.TRAIN, "it hurts: loss +0.42 nats per token (+0.31 to +0.53)")
    raised = RaisedAlarm(seq=75, since_seq=71, evidence={"input": 9e4, "reply": 2.0}, at=line.now)
    line.stores.detectors.raise_alarm(watched(line, 141.0), raised)

    assert_picture("drift", printed(line, "drift", "show"))
    assert_picture("drift_verbose", printed(line, "drift", "show", "--verbose"))


def test_calibration() -> None:
    reaches = (
        Reach(share=1.0, trials=8, found=1.0, median=21.0),
        Reach(share=0.1, trials=8, found=0.25, median=float("inf")),
    )
    found = Calibration(
        history=5_000,
        topics=6,
        within=1_000,
        replay=Replay(conversations=20_000, alarms=1, run_length_at_least=4_215.7),
        reaches=reaches,
    )

    assert_picture("drift_calibrate", rendered(calibration_screen(found, 20_000)))


def test_show(line: Line) -> None:
    name = line.promoted()
    found = version_details(line.stores, name)
    url = "file:///var/lib/retuned/support-bot/artifacts/support-bot-v1"
    found = replace(found, version=replace(found.version, artifact=url))
    lineage = replace(found.version.lineage, base="/models/SmolLM2-135M-Instruct")
    found = replace(found, version=replace(found.version, lineage=lineage))

    assert_picture("show", rendered(version_screen(found)))


def test_reference(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.stores.references.start(f"{LINE}-v1", size=50, after_seq=0, now=line.clock())

    assert_picture("reference", printed(line, "reference", "show"))
    printed(line, "reference", "freeze", "-m", "审计期间: no changes during the audit of the fair's orders")
    later(line, fixed_time, hours=30)
    assert_picture("reference_frozen", printed(line, "reference", "show"))


def test_intake(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    broker = FakeBroker()
    for _ in range(60):
        broker.append(TOPIC, None, b"{}")
    broker.serve(fixed_time, TOPIC)
    printed(line, "intake", "halt", "-m", "broker upgrade")
    printed(
        line, "intake", "seek", "conversations/0", "40", "-m", "read the last ten again: 重新读取", "--yes"
    )
    reason = "conversations/0: 512 of the last 1,000 records can't be used, not_json most of all"
    line.stores.halts.halt(Halt(kind=HaltKind.DEAD_LETTERS, reason=reason, at=line.clock()))

    assert_picture("intake", printed(line, "intake", "show"))


def test_dead_letters(line: Line) -> None:
    letters = [a_dead_letter(900), a_dead_letter(12_345_678)]
    long = replace(letters[1], message="第一行不是 JSON，" * 12)
    line.stores.intake.record(a_batch(dead_letters=[letters[0], long], at=line.clock()))

    assert_picture("deadletters", printed(line, "deadletters", "list"))
    assert_picture("deadletter", printed(line, "deadletters", "show", "3"))


def test_doctor() -> None:
    checks = (
        passed("broker", "kafka-1.example:9092, kafka-2.example:9092 answers; brokers in the cluster: 3"),
        failed(
            "dead-letter topic",
            "there is no topic conversations.dead-letters",
            "create it, or run `retuned doctor --create-topics`",
        ),
        passed("disk", "41.2 GiB free at /var/lib/retuned/support-bot"),
        failed(
            "holdout key",
            "others can read /var/lib/retuned/support-bot/holdout.key (mode 644)",
            "chmod 600 /var/lib/retuned/support-bot/holdout.key",
        ),
    )

    assert_picture("doctor", rendered(checkup_screen(checks)))
    assert_picture("doctor_passed", rendered(checkup_screen([checks[0], checks[2]])))


def test_erasures(line: Line, fixed_time: pytest.MonkeyPatch) -> None:
    line.promoted()
    words = ("--conversation", "c71", "-m", "a request by mail: 用户要求删除")

    assert_picture("forget", masked(printed(line, "forget", *words, "--yes")))
    assert_picture("erasures", masked(printed(line, "erasures")))


def masked(text: str) -> str:
    """The text without digests that are keyed by the random holdout key."""
    return re.sub(r"\b[0-9a-f]{12}\b", "0123456789ab", text)
