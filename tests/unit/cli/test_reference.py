from datetime import timedelta
from pathlib import Path

import pytest

from daemon.config.loader import dump
from daemon.domain.windows import ReferenceCause
from daemon.ledger.freezes import FreezeLedger
from daemon.ledger.windows import VerdictRow
from tests.factories.cli import type_to
from tests.factories.daemon import LINE, Line, a_line
from tests.factories.ledger import NOW, a_batch, a_conversation


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def shown(line: Line, *words: str) -> str:
    return " ".join(type_to(line, *words).stdout.split())


def expects_a_week(line: Line) -> None:
    """The same line, but its settings say that the stream has a weekly cycle."""
    windows = line.settings.windows.model_copy(update={"reference_days": 7.0})
    line.settings = line.settings.model_copy(update={"windows": windows})
    line.config.write_text(dump(line.settings), encoding="utf-8")


def test_the_reference_is_shown_with_what_it_does_not_know_yet(line: Line) -> None:
    expects_a_week(line)

    printed = shown(line, "reference", "show")

    assert printed.startswith(f"reference 1, of version {LINE}-v0, 24 November 2026")
    assert f"50 conversations of {LINE}-v0, 1 to 50; the reference spans 0.0 of 7 days" in printed
    assert "started when its version went live" in printed
    assert "not frozen" in printed
    assert "the reference spans 0.0 of 7 days" in shown(line, "status")
    assert "the reference spans 0.0 of 7 days" in shown(line, "drift", "show")


def test_one_that_is_collected_says_how_far(line: Line) -> None:
    line.stores.references.start(f"{LINE}-v1", size=50, after_seq=30, now=line.now)

    assert f"collecting for {LINE}-v1: 20 of 50 conversations" in shown(line, "reference", "show")


def test_scripts_get_all_of_it(line: Line) -> None:
    line.stores.references.start(f"{LINE}-v1", size=50, after_seq=0, now=line.now)

    document = type_to(line, "reference", "show", "--json").document

    assert (document["reference"]["version"], document["reference"]["size"]) == (f"{LINE}-v1", 50)
    assert (document["spanned_days"], document["cycle_days"], document["freeze"]) == (0.0, 0.0, None)
    assert [earlier["version"] for earlier in document["earlier"]] == [f"{LINE}-v0"]


def test_the_newest_conversations_are_fixed_by_hand(line: Line) -> None:
    line.add_conversations(60)

    printed = shown(line, "reference", "set", "--last", "80", "--reason", "the fair is over")

    assert f"the reference is now 50 conversations of {LINE}-v0, 31 to 110" in printed
    assert "the next start watches the stream anew" in printed
    assert "set by" in (seen := shown(line, "reference", "show"))
    assert "the fair is over" in seen


def test_one_that_does_not_come_to_span_the_cycle_says_why_and_what_to_do(line: Line) -> None:
    expects_a_week(line)
    assert "not widened" not in shown(line, "reference", "show")
    line.add_conversations(60)
    shown(line, "reference", "set", "--last", "80", "--why", "the fair is over")

    printed = shown(line, "reference", "show")

    assert "not widened an operator chose its conversations `retuned reference set --last N`" in printed
    assert type_to(line, "reference", "show", "--json").document["stays"] == "by_hand"


def test_a_time_is_fixed_by_hand(line: Line) -> None:
    late = [a_conversation(line.read + n, at=NOW + timedelta(days=2, minutes=n)) for n in range(200)]
    line.stores.intake.record(a_batch(late))

    document = type_to(
        line, "reference", "set", "--from", "2026-11-26", "--to", "2026-11-27", "--json"
    ).document

    assert (document["reference"]["range"], document["reference"]["cause"]) == (
        {"first": 53, "last": 248},
        "operator",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--last", "20"), "there are 20 conversations (the last 20), and a reference needs 50"),
        (("--from", "2026-11-26", "--to", "2026-11-27"), "there are 0 conversations"),
        ((), "either --last N, or --from TIME --to TIME"),
        (("--last", "50", "--from", "2026-11-26"), "either --last N, or --from TIME --to TIME"),
        (("--from", "2026-11-26"), "either --last N, or --from TIME --to TIME"),
    ],
)
def test_what_makes_no_reference_is_refused(line: Line, words: tuple[str, ...], message: str) -> None:
    refused = type_to(line, "reference", "set", *words, "--json")

    assert refused.exit_code != 0
    assert message in refused.error["message"]
    assert (newest := line.stores.references.newest()) is not None
    assert newest.cause is ReferenceCause.VERSION


def test_it_is_frozen_and_let_go_and_everybody_is_told(line: Line) -> None:
    assert "`retuned reference unfreeze -m REASON` lets it go on" in shown(
        line, "reference", "freeze", "-m", "the audit"
    )

    for words in (("reference", "show"), ("status",), ("drift", "show")):
        assert "frozen by" in (printed := shown(line, *words))
        assert ": the audit" in printed
    assert "the reference is frozen by" in shown(line, "why", "--not")
    assert type_to(line, "reference", "freeze", "--json").document["freeze"]["why"] == "the audit"

    ended = type_to(line, "reference", "unfreeze", "-m", "the audit is over", "--json").document["ended"]
    assert ended["ended_why"] == "the audit is over"
    type_to(line, "reference", "freeze")
    assert "no longer frozen" in shown(line, "reference", "unfreeze")
    assert "not frozen" in shown(line, "reference", "show")
    refused = type_to(line, "reference", "unfreeze", "--json")
    assert refused.error["message"] == "the reference is not frozen; see `retuned reference show`"


def test_what_is_not_full_can_not_be_frozen(line: Line) -> None:
    line.stores.references.start(f"{LINE}-v1", size=50, after_seq=30, now=line.now)

    refused = type_to(line, "reference", "freeze", "--json")

    assert "there is no full reference yet" in refused.error["message"]
    with pytest.raises(Exception, match="not frozen"):
        FreezeLedger(line.stores.engine).unfreeze(by="ada", now=line.now)


def test_a_return_to_an_earlier_reference_is_named_wherever_the_drift_is_told(line: Line) -> None:
    name = line.candidate()
    again = VerdictRow(
        window=2, monitor="recurrence", finding="stable", score=0.4, threshold=1.0,
        reason=f"looks like reference 1, of version {LINE}-v0, 24 November 2026 again", triggers=False,
    )  # fmt: skip
    window = line.stores.windows.window(2)
    assert window is not None
    line.stores.windows.record_judgement(
        window.window, [again], finding="drift", reference_id=1, explanation=window.explanation, now=line.now
    )

    assert again.reason in shown(line, "drift", "show")
    assert again.reason in shown(line, "why", str(name))


def test_the_earlier_spelling_of_reason_is_still_taken(line: Line) -> None:
    answer = type_to(line, "reference", "freeze", "--why", "the audit", "--json")

    assert answer.document["freeze"]["why"] == "the audit"
    assert "--why" not in type_to(line, "reference", "freeze", "--help").stdout
