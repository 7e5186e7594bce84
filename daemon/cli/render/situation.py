"""Shows what is going on, in the words of ``daemon.domain.situation``."""

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from daemon.cli.render.formatting import ago, printable
from daemon.domain.alarms import Alarm
from daemon.domain.situation import CALM, Situation, SituationState, sentence_of


def style_of(state: SituationState) -> str:
    """Return the colour of a state: green where nothing is known to be wrong, cyan where it is dealt with, else red."""
    if state in CALM:
        return "green"
    return "bold cyan" if state in (SituationState.TRAINING, SituationState.AT_GATE) else "bold red"


def situation_lines(situation: Situation, alarm: Alarm | None, now: datetime) -> Iterator[Text]:
    """Say what is going on, what follows by itself, and why the detector raised the alarm that is open."""
    yield Text(sentence_of(situation.sentence), style=style_of(situation.state))
    if situation.next is not None:
        yield Text(sentence_of(situation.next))
    if alarm is not None:
        known = "confirmed" if alarm.confirmed else "suspected"
        yield Text(f"{known} since window {alarm.window}, {ago(now, alarm.at)}: {printable(alarm.reason)}")
