"""Reports are written with their judgement and go with any conversation they were made of, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from daemon.ledger.erasures import ErasureLedger, Subject
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import NewReport, ReportLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.retention.conversations import ConversationRetention
from daemon.retention.history import HistoryRetention
from tests.factories.ledger import NOW, a_batch, a_conversation
from tests.factories.retention import some_retention

REFERENCE, WINDOW = 10, 20


@pytest.fixture
def windows(engine: Engine) -> WindowLedger:
    """A reference of ten conversations and three windows of twenty; each conversation has a user of its own."""
    windows = WindowLedger(engine)
    ReferenceLedger(engine).start("chat-v0", size=REFERENCE, after_seq=0, now=NOW)
    conversations = [a_conversation(n, user=f"user {n}") for n in range(REFERENCE + 3 * WINDOW)]
    IntakeLedger(engine, window_size=WINDOW).record(a_batch(conversations))
    return windows


def judge(windows: WindowLedger, html: bytes = b"packed", *, made_of: int = REFERENCE + WINDOW) -> int:
    window = windows.next_to_judge()
    assert window is not None
    row = VerdictRow(
        window=window.number, monitor="mmd", finding="drift", score=1.0, threshold=0.1, reason="so", triggers=True
    )  # fmt: skip
    windows.record_judgement(
        window,
        [row],
        finding="drift",
        reference_id=1,
        explanation=None,
        report=NewReport(html=html, conversations=made_of),
        now=NOW,
    )
    return window.number


def forget(engine: Engine, user: str) -> int:
    subject = Subject(kind="user", id=user, hash=user)
    removed, entry = ErasureLedger(engine).erase(subject, by="ada", why="asked", now=NOW)
    assert entry.removed["reports"] == removed.reports
    return removed.reports


def kept(engine: Engine) -> list[int]:
    return [entry.window for entry in ReportLedger(engine).newest_first()]


def test_a_report_is_written_with_its_judgement(windows: WindowLedger, engine: Engine) -> None:
    judge(windows, b"\x1f\x8b\x00 page")

    [entry] = ReportLedger(engine).newest_first()
    assert (entry.window, entry.made_at, entry.size) == (1, NOW, 8)
    assert ReportLedger(engine).html(1) == b"\x1f\x8b\x00 page"
    assert ReportLedger(engine).html(2) is None


def test_a_report_goes_with_a_conversation_of_its_window_and_no_other_does(
    windows: WindowLedger, engine: Engine
) -> None:
    for _ in range(3):
        judge(windows)

    assert forget(engine, f"user {REFERENCE + WINDOW + 3}") == 1
    assert kept(engine) == [3, 1]


def test_all_reports_go_with_a_conversation_of_their_reference(windows: WindowLedger, engine: Engine) -> None:
    judge(windows)
    judge(windows)

    assert forget(engine, "user 4") == 2
    assert kept(engine) == []


def test_who_is_in_no_report_takes_none(windows: WindowLedger, engine: Engine) -> None:
    judge(windows)

    assert forget(engine, f"user {REFERENCE + WINDOW + 3}") == 0
    assert kept(engine) == [1]


def test_who_was_forgotten_while_a_report_was_made_is_in_no_report(
    windows: WindowLedger, engine: Engine
) -> None:
    forget(engine, f"user {REFERENCE + 2}")

    judge(windows)

    assert kept(engine) == []
    assert windows.window(1) is not None


def test_a_conversation_that_retention_took_takes_the_report(windows: WindowLedger, engine: Engine) -> None:
    for _ in range(3):
        judge(windows)
    retention = ConversationRetention(engine, lambda: some_retention(conversations=WINDOW, sample=0))
    while retention.prune(NOW):
        pass

    HistoryRetention(engine, some_retention).prune(NOW, scored=())

    assert kept(engine) == [3]  # the reference stays, and the newest twenty


def test_an_erasure_takes_what_retention_left_to_quote(windows: WindowLedger, engine: Engine) -> None:
    judge(windows)
    judge(windows)
    retention = ConversationRetention(engine, lambda: some_retention(conversations=WINDOW, sample=0))
    while retention.prune(NOW):
        pass

    assert forget(engine, f"user {REFERENCE + 1}") == 2  # its conversation is gone, and was quoted
    assert kept(engine) == []


def test_the_newest_reports_stay(windows: WindowLedger, engine: Engine) -> None:
    for _ in range(3):
        judge(windows)

    went = HistoryRetention(engine, lambda: some_retention(reports=2)).prune(NOW, scored=())

    assert went["reports"] == 1
    assert kept(engine) == [3, 2]


def test_a_report_goes_with_its_window(windows: WindowLedger, engine: Engine) -> None:
    for _ in range(3):
        judge(windows)

    HistoryRetention(engine, lambda: some_retention(history=1)).prune(NOW + timedelta(days=1), scored=())

    assert kept(engine) == [3]
