from dataclasses import replace

import pytest
from sqlalchemy import Engine

from daemon.domain.windows import SeqRange
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm, StoredDetector
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from tests.factories.ledger import NOW, a_batch, some_conversations

SEEN = StoredDetector(reference_id=1, seq=12, state={"count": 2}, at=NOW)


@pytest.fixture
def windows(engine: Engine) -> WindowLedger:
    windows = WindowLedger(engine)
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    return windows


@pytest.fixture
def detectors(engine: Engine, windows: WindowLedger) -> DetectorLedger:
    return DetectorLedger(engine)


def read(engine: Engine, first: int, count: int) -> None:
    IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(first, count)))


def an_alarm(seq: int) -> RaisedAlarm:
    return RaisedAlarm(seq=seq, since_seq=seq - 3, evidence={"input": 50_000.0, "reply": 1.0}, at=NOW)


def spans(windows: WindowLedger) -> list[tuple[int, int]]:
    found = []
    while (window := windows.next_to_judge()) is not None:
        row = VerdictRow(
            window=window.number, monitor="mmd", finding="stable", score=0.1, threshold=1.0, reason="so", triggers=False
        )  # fmt: skip
        windows.record_judgement(window, [row], finding="stable", reference_id=1, explanation=None, now=NOW)
        found.append((window.range.first, window.range.last))
    return found


def test_a_detector_is_kept_once_and_goes_on(detectors: DetectorLedger) -> None:
    assert detectors.stored(1) is None

    detectors.store(SEEN)
    detectors.store(replace(SEEN, seq=20, state={"count": 9}))

    assert detectors.stored(1) == replace(SEEN, seq=20, state={"count": 9})


def test_an_alarm_closes_the_window_with_what_raised_it(
    detectors: DetectorLedger, windows: WindowLedger, engine: Engine
) -> None:
    read(engine, 0, 25)

    detectors.raise_alarm(SEEN, an_alarm(18))
    read(engine, 25, 20)

    assert spans(windows) == [(11, 18), (19, 38)]
    assert detectors.stored(1) == SEEN
    stored = replace(an_alarm(18), reference_id=1)
    assert detectors.first_alarm_in(SeqRange(first=11, last=18), reference_id=1) == stored
    assert detectors.first_alarm_in(SeqRange(first=19, last=38), reference_id=1) is None
    assert detectors.first_alarm_in(SeqRange(first=11, last=18), reference_id=2) is None


def test_while_an_alarm_waits_to_be_confirmed_another_closes_no_window(
    detectors: DetectorLedger, windows: WindowLedger, engine: Engine
) -> None:
    read(engine, 0, 25)
    detectors.raise_alarm(SEEN, an_alarm(18))

    detectors.raise_alarm(SEEN, an_alarm(24))
    read(engine, 25, 20)

    assert spans(windows) == [(11, 18), (19, 38)]
    assert [raised.seq for raised in detectors.newest(9)] == [24, 18]


def test_later_alarms_close_windows_again(
    detectors: DetectorLedger, windows: WindowLedger, engine: Engine
) -> None:
    read(engine, 0, 25)
    detectors.raise_alarm(SEEN, an_alarm(18))
    read(engine, 25, 85)  # four more windows, to 98

    detectors.raise_alarm(SEEN, an_alarm(105))

    assert spans(windows)[-1] == (99, 105)


def test_an_alarm_in_a_window_that_is_closed_already_closes_none(
    detectors: DetectorLedger, windows: WindowLedger, engine: Engine
) -> None:
    read(engine, 0, 32)

    detectors.raise_alarm(SEEN, an_alarm(22))

    assert spans(windows) == [(11, 30)]


def test_an_alarm_is_told_by_the_windows_between_it_and_the_one_before_not_by_the_newest(
    detectors: DetectorLedger, engine: Engine
) -> None:
    read(engine, 0, 410)  # a backlog: windows of 20 up to 410, all closed before the detector begins

    told = [detectors.raise_alarm(SEEN, an_alarm(seq)) for seq in (18, 40, 93, 120, 190, 270)]

    assert told == [True, False, False, False, False, True]
    assert [(change.seq, change.again) for change in detectors.changes(99)] == [(270, 0), (18, 4)]


def test_alarms_against_another_reference_are_about_another_change(
    detectors: DetectorLedger, engine: Engine
) -> None:
    read(engine, 0, 50)
    detectors.raise_alarm(SEEN, an_alarm(30))
    ReferenceLedger(engine).start("chat-v1", size=10, after_seq=20, now=NOW)

    assert detectors.raise_alarm(replace(SEEN, reference_id=2), an_alarm(34))
    assert [(change.seq, change.reference_id) for change in detectors.changes(99)] == [(34, 2), (30, 1)]


def test_there_are_no_changes_before_the_first_alarm(detectors: DetectorLedger) -> None:
    assert detectors.changes(99) == []


def test_the_first_alarm_of_a_change_is_found_and_the_oldest_window_that_waits_with_one(
    detectors: DetectorLedger, windows: WindowLedger, engine: Engine
) -> None:
    read(engine, 0, 410)
    assert windows.first_alarmed(1) is None
    for seq in (40, 60, 93, 270):
        detectors.raise_alarm(SEEN, an_alarm(seq))

    newest, last, *_, first = detectors.newest(9)

    assert detectors.first_of_change(last) == detectors.first_of_change(first) == first
    assert detectors.first_of_change(newest) == newest
    assert (windows.first_alarmed(1), windows.first_alarmed(2)) == (2, None)
