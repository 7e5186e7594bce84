from dataclasses import replace

import pytest

from monitors.sequential.aspect_evidence import leading_aspect_of
from monitors.sequential.pending_alarm import LOOKS, MAX_INCONCLUSIVE, WindowEvidence, pending_alarm
from monitors.types import Aspect
from tests.factories.ledger import NOW


def quiet(window: int) -> WindowEvidence:
    return WindowEvidence(window=window, at=NOW)


def raised(window: int) -> WindowEvidence:
    return WindowEvidence(window=window, at=NOW, raised="other words", since_seq=window * 100)


@pytest.mark.parametrize(
    ("leading", "stands"),
    [
        (Aspect.INPUT, False),
        (Aspect.LANGUAGE, False),
        (Aspect.QUALITY, True),
        (Aspect.FEEDBACK_RATE, True),
        (Aspect.REPLY, True),
        (Aspect.SHAPE, True),
        (Aspect.EMBEDDING, True),
        (Aspect.LABEL, True),
    ],
)
def test_no_window_of_words_is_asked_about_what_words_do_not_tell(leading: Aspect, *, stands: bool) -> None:
    alarm = pending_alarm([replace(raised(1), leading_aspect=leading), looked(2, False)])

    assert alarm is not None
    assert alarm.confirmed is stands


def test_what_the_detector_was_surest_of_leads() -> None:
    assert leading_aspect_of({"seq": 9.0, "evidence_input": 3.0, "evidence_concept": 7.0}) is Aspect.CONCEPT
    assert leading_aspect_of({"since_seq": 1.0}) is None


def looked(window: int, confirms: bool | None) -> WindowEvidence:
    return WindowEvidence(window=window, at=NOW, confirms=confirms, reason="p = 0.001")


def test_without_an_alarm_nothing_stands() -> None:
    assert pending_alarm([quiet(1), quiet(2), looked(3, True)]) is None


def test_an_alarm_waits_for_a_fresh_window() -> None:
    alarm = pending_alarm([quiet(1), raised(2)])

    assert alarm is not None
    assert (alarm.window, alarm.first_seq, alarm.confirmed) == (2, 200, False)


def test_a_fresh_window_confirms_it_with_its_reason() -> None:
    alarm = pending_alarm([raised(2), looked(3, False), looked(4, True), looked(5, False)])

    assert alarm is not None
    assert alarm.confirmed
    assert alarm.reason == "other words; confirmed: p = 0.001"


def test_a_window_that_could_not_tell_is_no_look() -> None:
    inconclusive = [looked(2 + n, None) for n in range(MAX_INCONCLUSIVE - 1)]

    alarm = pending_alarm([raised(1), *inconclusive])

    assert alarm is not None
    assert (alarm.confirmed, alarm.looks) == (False, 0)
    assert pending_alarm([raised(1), *inconclusive, *(looked(9 + n, False) for n in range(LOOKS))]) is None


def test_where_window_after_window_can_not_tell_an_alarm_stands_by_itself() -> None:
    """A team of ten never has as many users in a window as a test needs."""
    few = [replace(looked(2 + n, None), reason="needs 5 more users") for n in range(MAX_INCONCLUSIVE)]

    alarm = pending_alarm([raised(1), *few])

    assert alarm is not None
    assert alarm.confirmed
    assert alarm.reason.endswith("accepted unconfirmed after 6 inconclusive windows: needs 5 more users")


def test_what_is_not_confirmed_in_time_is_dropped_and_the_next_alarm_counts() -> None:
    dropped = [raised(1), *(looked(2 + n, False) for n in range(LOOKS))]

    assert pending_alarm(dropped) is None
    again = pending_alarm([*dropped, raised(9)])
    assert again is not None
    assert again.window == 9


def test_a_second_alarm_does_not_replace_the_first() -> None:
    alarm = pending_alarm([raised(1), raised(2)])

    assert alarm is not None
    assert alarm.window == 1


def test_an_alarm_that_was_raised_again_while_it_was_looked_at_counts_once_the_first_is_dropped() -> None:
    """A weak change raises one alarm after the other; three windows that show nothing are not the last word."""
    again = replace(looked(3, False), raised="other words still", since_seq=250)
    evidence = [raised(1), looked(2, False), again, looked(4, False)]

    alarm = pending_alarm(evidence)
    assert alarm is not None
    assert (alarm.window, alarm.first_seq, alarm.looks) == (3, 250, 1)
    confirmed = pending_alarm([*evidence, looked(5, True)])
    assert confirmed is not None
    assert confirmed.confirmed
