from pathlib import Path

import pytest

from registry.names import VersionName
from registry.types import GateVerdict
from tests.factories.cli import type_to
from tests.factories.daemon import LINE, Line, a_line


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def live(line: Line) -> VersionName | None:
    return line.stores.versions.history(LINE).live


def test_promote_says_what_replaced_what_and_what_happens_next(line: Line) -> None:
    line.gate(line.candidate())

    answer = type_to(line, "promote", "v1", "-m", "checked by hand")

    assert answer.exit_code == 0
    assert "support-bot-v0 -> support-bot-v1 is live, in " in answer.stdout
    assert "No daemon answers" in answer.stdout
    assert "retuned rollback" in answer.stdout


def test_who_promoted_is_in_the_log(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    line.gate(line.candidate())

    type_to(line, "promote", "v1", "-m", "checked by hand")

    entry = line.stores.versions.history(LINE).entries[-1]
    assert (entry.by.kind, entry.by.name, entry.reason) == ("operator", "ada", "checked by hand")


@pytest.mark.parametrize(
    ("words", "kind", "code", "message"),
    [
        (("promote", "v1"), "GateNotPassed", 3, "the gate said reject"),
        (("promote", "v1", "--force"), "ReasonMissing", 2, "needs a reason"),
        (("promote", "v0"), "AlreadyLive", 3, "live already"),
        (("promote", "v9"), "VersionNotFound", 2, "there is no support-bot-v9"),
        (("promote", "other-v1"), "VersionNotFound", 2, "there is no other-v1"),
        (("rollback", "-m", "bad"), "NothingToRollBack", 3, "nothing was live before"),
        (("rollback", "v1", "-m", "bad"), "NothingToRollBack", 3, "nothing was live before"),
    ],
)
def test_refusals_change_nothing_and_say_why(
    line: Line, words: tuple[str, ...], kind: str, code: int, message: str
) -> None:
    line.gate(line.candidate(), GateVerdict.REJECT)

    answer = type_to(line, *words, "--json")

    assert answer.exit_code == answer.error["exit_code"] == code
    assert answer.stdout == ""
    assert answer.error["kind"] == kind
    assert message in answer.error["message"]
    assert live(line) == VersionName(LINE, 0)


def test_a_refusal_is_one_sentence_for_people(line: Line) -> None:
    answer = type_to(line, "promote", "v9")

    assert answer.stderr == "retuned: there is no support-bot-v9; versions of support-bot: v0\n"


def test_the_gate_can_be_overruled_and_that_is_recorded(line: Line) -> None:
    line.gate(line.candidate(), GateVerdict.REJECT)

    answer = type_to(line, "promote", "v1", "--force", "-m", "the law changed", "--json")

    assert answer.document["promotion"]["forced"] is True
    assert live(line) == VersionName(LINE, 1)


def test_rollback_is_served_at_once(line: Line) -> None:
    line.promoted()

    answer = type_to(line, "rollback", "-m", "wrong refunds", "--json")

    assert answer.exit_code == 0
    promotion = answer.document["promotion"]
    assert (promotion["previous"], promotion["version"]) == ("support-bot-v1", "support-bot-v0")
    assert answer.document["seconds"] < 5
    assert line.stores.target.current() == VersionName(LINE, 0)


def test_an_empty_reason_is_none(line: Line) -> None:
    line.promoted()

    answer = type_to(line, "rollback", "-m", " ", "--json")

    assert (answer.exit_code, answer.error["kind"]) == (2, "ReasonMissing")
    assert live(line) == VersionName(LINE, 1)


def test_rollback_without_a_reason_is_bad_usage(line: Line) -> None:
    line.promoted()

    assert type_to(line, "rollback").exit_code == 2
    assert live(line) == VersionName(LINE, 1)


def test_a_wish_to_train_is_noted_and_waits_for_a_daemon(line: Line) -> None:
    answer = type_to(line, "train", "-m", "新商品")

    wish = line.stores.decisions.open_request()
    assert wish is not None
    assert wish.reason == "新商品"
    assert "Request 1 is recorded; no daemon answers" in answer.stdout
