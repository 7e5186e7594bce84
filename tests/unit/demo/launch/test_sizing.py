"""The story is as large as the machine's speed allows."""

from pathlib import Path

import pytest

from daemon.demo.config import Place, write_config
from daemon.demo.launch.sizing import EPOCHS, FEWEST_FACTS, LEAD, MOST_FACTS, TAIL, TRAINABLE, sections, size
from daemon.demo.launch.wordings import HELD_OUT

pytestmark = pytest.mark.unit
SPEEDS = (30.0, 100.0, 210.0, 400.0, 1_000.0, 50_000.0)


def test_a_fast_machine_gets_the_whole_story_within_eight_minutes() -> None:
    sizes = size(400.0)

    assert sizes.facts >= 2 * FEWEST_FACTS
    assert sizes.seconds <= 8 * 60


def test_a_slow_machine_gets_a_smaller_story_within_fifteen_minutes() -> None:
    sizes = size(150.0)

    assert FEWEST_FACTS <= sizes.facts <= MOST_FACTS
    assert sizes.seconds <= 15 * 60


def test_more_speed_never_means_less_story() -> None:
    facts = [size(speed).facts for speed in SPEEDS]

    assert facts == sorted(facts)
    assert (facts[0], facts[-1]) == (FEWEST_FACTS, MOST_FACTS)


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_training_can_start_when_the_last_window_closes(speed: float) -> None:
    sizes = size(speed)
    windows = sizes.windows

    assert 0 < windows.min_new <= sizes.lessons == sizes.facts * TRAINABLE
    assert sizes.asks >= LEAD + sizes.facts * (TRAINABLE + HELD_OUT) + TAIL
    assert 0 < (windows.before + windows.after) % windows.window < 10
    assert windows.window < TAIL


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_change_comes_inside_a_window(speed: float) -> None:
    windows = size(speed).windows

    assert 0 < (windows.before - windows.reference) % windows.window < windows.window


def test_the_daemon_reads_the_settings_of_the_story(tmp_path: Path) -> None:
    sizes = size(210.0)
    place = Place(folder=tmp_path, bootstrap="127.0.0.1:9092", http_port=9464, base=tmp_path / "model")

    settings = write_config(place, sizes.windows, seed=7, sections=sections())

    assert settings.learning.epochs == EPOCHS
    assert settings.learning.seed == 7
    assert settings.policy.min_new_lessons == sizes.windows.min_new
    assert settings.gate.max_conversations == 120
