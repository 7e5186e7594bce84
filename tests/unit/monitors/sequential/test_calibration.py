from collections.abc import Sequence
from dataclasses import replace
from math import inf

import pytest
from rich.console import Console

from daemon.cli.render.drift import calibration_screen
from monitors.errors import NothingToReport
from monitors.sequential.calibration import SHARES, Calibration, Trials, calibrate
from monitors.sequential.edetector import EDetector
from monitors.types import Sample
from tests.unit.monitors.sequential.test_edetector import SHOP, SPORT, WORDS, a_conversation

TOPICS = (SHOP, SPORT, WORDS[600:], SHOP[:50], SPORT[:50])
TRIALS = Trials(conversations=1_500, within=250, each=2)


def a_history(count: int = 400) -> list[Sample]:
    return [a_conversation(number, TOPICS[number % len(TOPICS)], seed=7) for number in range(count)]


def calibrated(history: Sequence[Sample], progress: list[tuple[int, int]] | None = None) -> Calibration:
    calls = [] if progress is None else progress
    return calibrate(
        history, reference_size=200, new_detector=EDetector, trials=TRIALS, on_progress=lambda *at: calls.append(at)
    )  # fmt: skip


def test_shuffled_history_raises_no_alarm_and_the_bound_says_how_much_that_proves() -> None:
    found = calibrated(a_history())

    assert (found.replay.conversations, found.replay.alarms) == (1_500, 0)
    assert found.replay.run_length_at_least == pytest.approx(1_500 / 2.996, rel=1e-3)


def test_one_user_who_holds_a_topic_of_his_own_is_no_change_in_it() -> None:
    """What is drawn for the stream is of users of its own, so what it is compared with has to be."""
    history = [
        replace(conversation, group="heavy") if number % len(TOPICS) == 2 else conversation
        for number, conversation in enumerate(a_history())
    ]

    assert calibrated(history).replay.alarms == 0


def test_a_topic_that_comes_anew_is_caught_the_sooner_the_more_of_it_there_is() -> None:
    reaches = {reach.share: reach for reach in calibrated(a_history()).reaches}

    assert tuple(reaches) == SHARES
    assert reaches[1.0].found == 1.0
    assert reaches[1.0].median < 80
    assert reaches[1.0].median < reaches[0.5].median <= reaches[0.1].median <= inf


def test_the_same_history_gives_the_same_answer_and_progress_is_told() -> None:
    progress: list[tuple[int, int]] = []

    assert calibrated(a_history(), progress) == calibrated(a_history())
    assert progress[-1][0] == progress[-1][1]


def test_too_little_history_is_refused() -> None:
    with pytest.raises(NothingToReport, match="199 conversations are too few to try anything; wait for 200"):
        calibrated(a_history(199))


def test_where_everybody_says_the_same_few_things_the_rate_is_told_and_no_change_is_tried() -> None:
    conversations = a_history(9)

    found = calibrated([replace(conversations[n % 9], id=f"{n}", group=f"{n}") for n in range(300)])

    assert (found.replay.conversations, found.topics, found.reaches) == (1_500, 0, ())
    console = Console(record=True, width=200)
    console.print(calibration_screen(found, 20_000))
    assert "No change was tried: 300 conversations have no topic" in console.export_text()
