from pathlib import Path

import pytest

from daemon.domain.decisions import Action
from registry.names import VersionName
from registry.orders import OrderKind
from registry.types import GateVerdict
from tests.factories.cli import type_to
from tests.factories.daemon import LINE, Line, a_line

V0, V1 = VersionName(LINE, 0), VersionName(LINE, 1)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setenv("LOGNAME", "ada")
    return a_line(tmp_path)


def orders(line: Line) -> list[tuple[str, str | None, str, str]]:
    log = line.stores.versions.orders(LINE).orders
    return [(order.kind.value, order.subject, order.by.name, order.reason) for order in log]


def live(line: Line) -> VersionName | None:
    return line.stores.versions.history(LINE).live


@pytest.mark.parametrize(
    ("words", "subject", "says"),
    [
        (("hold",), None, "Automatic promotion is held. `retuned unhold -m REASON` ends that."),
        (("pause",), None, "Training is paused. `retuned resume -m REASON` lets it go on."),
        (("cancel",), "r2", "The run is cancelled."),
        (("cancel", "r2"), "r2", "The run is cancelled."),
        (("reject", "v1"), "support-bot-v1", "support-bot-v1 is rejected."),
    ],
)
def test_an_order_is_recorded_with_who_and_why_and_given_once(
    line: Line, words: tuple[str, ...], subject: str | None, says: str
) -> None:
    line.candidate()
    line.start_run(line.decide(Action.TRAIN, "again"))

    answer = type_to(line, *words, "-m", "审计")
    again = type_to(line, *words, "-m", "again", "--json")

    assert answer.exit_code == 0
    assert says in answer.stdout
    assert "No daemon answers at http://127.0.0.1:1; the next start follows." in answer.stdout
    assert orders(line) == [(words[0], subject, "ada", "审计")]
    assert (again.exit_code, again.document["changed"], again.document["order"]) == (0, False, None)


@pytest.mark.parametrize(("begin", "end"), [("hold", "unhold"), ("pause", "resume")])
def test_a_restriction_is_ended_with_a_reason(line: Line, begin: str, end: str) -> None:
    type_to(line, begin, "-m", "audit")

    answer = type_to(line, end, "-m", "it is over", "--json")

    assert answer.document["order"]["kind"] == end
    assert (answer.document["changed"], answer.document["hold"]) == (True, None)
    assert [kind for kind, *_ in orders(line)] == [begin, end]


@pytest.mark.parametrize(
    ("words", "kind", "code", "message"),
    [
        (("unhold",), "NotHeld", 3, "is not held"),
        (("resume",), "NotPaused", 3, "is not paused"),
        (("cancel",), "NoSuchRun", 3, "no training is running"),
        (("cancel", "r1"), "NoSuchRun", 3, "r1 is not running: it is finished"),
        (("reject", "v9"), "VersionNotFound", 2, "there is no support-bot-v9"),
        (("reject", "v0"), "IsLive", 3, "retuned rollback --expect v0"),
    ],
)
def test_refusals_change_nothing_and_say_why(
    line: Line, words: tuple[str, ...], kind: str, code: int, message: str
) -> None:
    line.candidate()

    answer = type_to(line, *words, "-m", "r", "--json")

    assert (answer.exit_code, answer.stdout) == (code, "")
    assert answer.error["kind"] == kind
    assert message in answer.error["message"]
    assert orders(line) == []


@pytest.mark.parametrize(
    "words", [("hold",), ("unhold",), ("pause",), ("resume",), ("cancel",), ("reject", "v1")]
)
def test_an_order_without_a_reason_is_bad_usage(line: Line, words: tuple[str, ...]) -> None:
    assert type_to(line, *words).exit_code == 2
    assert orders(line) == []


def test_rollback_says_what_it_holds_and_status_and_history_show_it(line: Line) -> None:
    line.promoted()

    answer = type_to(line, "rollback", "-m", "wrong refunds")
    status = type_to(line, "status", "--json").document["overview"]["orders"]

    assert "Automatic promotion is held until `retuned unhold -m REASON`" in answer.stdout
    assert (status["hold"]["by"]["name"], status["hold"]["reason"]) == ("ada", "wrong refunds")
    assert status["hold"]["rolled_back"] == "support-bot-v1"
    assert "promotion held" in type_to(line, "status").stdout.splitlines()[0]
    assert (
        "automatic promotion is held by the rollback of support-bot-v1, by ada" in type_to(line, "why").stdout
    )
    assert "support-bot-v1 was rolled back by ada: wrong refunds" in type_to(line, "why", "v1").stdout
    assert "support-bot-v1 was rolled back by ada: wrong refunds" in type_to(line, "show", "v1").stdout


def test_the_hold_of_a_rollback_is_ended_by_unhold(line: Line) -> None:
    line.promoted()
    type_to(line, "rollback", "-m", "wrong refunds")

    assert type_to(line, "unhold", "-m", "mended").exit_code == 0

    assert type_to(line, "status", "--json").document["overview"]["orders"]["hold"] is None


def test_promote_needs_a_reason_for_what_was_rolled_back(line: Line) -> None:
    line.promoted()
    type_to(line, "rollback", "-m", "wrong refunds")

    refused = type_to(line, "promote", "v1", "--json")
    assert (refused.exit_code, refused.error["kind"]) == (2, "ReasonMissing")
    assert type_to(line, "promote", "v1", "-m", "they were right").exit_code == 0
    assert live(line) == V1


@pytest.mark.parametrize("words", [("rollback",), ("promote", "v1", "--force")])
def test_a_change_is_refused_if_another_version_is_live_than_expected(
    line: Line, words: tuple[str, ...]
) -> None:
    line.promoted()

    answer = type_to(line, *words, "--expect", "v7", "-m", "r", "--json")

    assert (answer.exit_code, answer.error["kind"]) == (4, "NotExpected")
    assert "support-bot-v7 is not live; support-bot-v1 is" in answer.error["message"]
    assert live(line) == V1
    assert type_to(line, "rollback", "--expect", "v1", "-m", "r").exit_code == 0


def test_a_second_bare_rollback_says_which_command_to_type(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.promoted()
    second = line.finish_run(line.start_run(line.decide(Action.TRAIN, "again"))).name
    line.promote(second, line.gate(second))
    type_to(line, "rollback", "-m", "bad")

    refused = type_to(line, "rollback", "-m", "bad")

    assert refused.exit_code == 3
    assert "name the version: `retuned rollback v0 -m REASON`" in refused.stderr
    assert live(line) == V1
    assert type_to(line, "rollback", "v0", "-m", "bad").exit_code == 0
    assert live(line) == V0


def test_a_candidate_that_passed_and_is_held_needs_the_operator(line: Line) -> None:
    line.gate(line.candidate())
    type_to(line, "hold", "-m", "audit")

    shown = " ".join(type_to(line, "status").stdout.split())

    assert "To do: start the daemon (+2 more)" in shown
    assert "support-bot-v1 passed the gate, but promotion is held: `retuned promote v1 -m REASON`" in shown


def test_a_rejected_version_is_no_candidate_anywhere(line: Line) -> None:
    line.gate(line.candidate(), GateVerdict.INCONCLUSIVE)
    type_to(line, "reject", "v1", "-m", "rude")

    overview = type_to(line, "status", "--json").document["overview"]
    [row, _] = type_to(line, "versions", "--json").document["versions"]

    assert overview["candidate"] is None
    assert (overview["orders"]["barred"], overview["orders"]["bar"]["cause"]) == (
        "support-bot-v1",
        "rejected",
    )
    assert (row["candidate"], row["rejected"], row["rolled_back"]) == (False, True, False)


def test_orders_are_in_the_history(line: Line) -> None:
    type_to(line, "pause", "-m", "审计")

    [order] = type_to(line, "history", "--json").document["orders"]

    assert (order["kind"], order["by"]["name"], order["reason"]) == (OrderKind.PAUSE, "ada", "审计")
    assert "1. " in type_to(line, "history").stdout.split("Orders of operators")[1]
