"""What a demo looks like, on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from daemon.demo.durations import clock_text, duration_text
from daemon.demo.events import Event, Kind
from daemon.demo.picture import Picture, plain, render, sparkline
from daemon.demo.view import View
from tests.factories.demo import a_run_summary, an_overview, windows

pytestmark = pytest.mark.unit


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_console(*, terminal: bool = False, width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)


def output(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def a_picture(**changes: object) -> Picture:
    fields: dict[str, object] = {
        "phase": "watching for drift",
        "elapsed_s": 61.0,
        "sent": 520,
        "total": 1584,
        "lag": 20,
        "overview": an_overview(counted=500),
        "windows": windows("ssd"),
    }
    return Picture(**(fields | changes))  # type: ignore[arg-type]


def training(**progress: str | float) -> Picture:
    return a_picture(overview=an_overview(counted=1584, run=a_run_summary(progress=dict(progress))))


def test_the_picture_shows_stream_drift_and_phase() -> None:
    console = a_console(terminal=True)

    console.print(render(a_picture()))

    shown = output(console)
    assert "500 consumed, 520 sent, lag 20" in shown
    assert "3 windows judged, score 3.00, drift from 1.00" in shown
    assert "watching for drift  1:01 since the start" in shown
    assert "training" not in shown


def test_a_training_shows_step_loss_speed_and_time_left() -> None:
    console = a_console(terminal=True)

    console.print(
        render(
            training(phase="training", step=12, steps=80, loss=2.3456, tokens_per_s=391.7, seconds_left=125.2)
        )
    )

    assert "step 12/80, loss 2.346, 392 tokens/s, 2:05 left" in output(console)


def test_a_training_that_has_no_numbers_yet_says_what_it_does() -> None:
    assert plain(training(phase="encoding", step=0, steps=0)) == "training: encoding"


def test_what_is_waited_for_and_the_time_left_are_shown() -> None:
    console = a_console(terminal=True)
    waiting = a_picture(note="the base answers: 32 of 72", predicted_s=300.0)

    console.print(render(waiting))

    assert "the base answers: 32 of 72  1:01 since the start, about 3:59 left" in output(console)
    assert plain(waiting) == "the base answers: 32 of 72"


def test_before_the_first_look_nothing_is_claimed() -> None:
    assert plain(a_picture(overview=None, windows=(), lag=None, sent=0)) == (
        "conversations 0/1584, 0 consumed, 0 sent, lag ?; no window judged yet"
    )


def test_the_sparkline_rises_with_the_score_and_drift_is_red() -> None:
    spark = sparkline(windows("ssdd"))

    assert spark.plain == "▂▂██"
    assert [str(span.style) for span in spark.spans] == ["green", "green", "bold red", "bold red"]


def test_a_log_gets_the_picture_as_a_line_every_ten_seconds() -> None:
    clock, console = Clock(), a_console()
    with View(console, clock) as view:
        for _ in range(22):
            clock.now += 1
            view.picture(a_picture(sent=int(clock.now)))

    lines = [line for line in output(console).splitlines() if line.strip()]
    assert [line.split("…")[0].strip() for line in lines] == ["0:10", "0:20"]


def test_a_log_does_not_repeat_itself() -> None:
    clock, console = Clock(), a_console()
    with View(console, clock) as view:
        for _ in range(30):
            clock.now += 1
            view.picture(a_picture())

    assert output(console).count("500/1584") == 1


def test_events_carry_the_time_and_hang_under_it() -> None:
    clock, console = Clock(), a_console(width=40)
    view = View(console, clock)
    clock.now += 75

    view.event(Event(kind=Kind.ALARM, text="drift " * 12, details=("more often: [bold]capital[/bold]",)))

    lines = output(console).splitlines()
    assert lines[0].startswith("    1:15  drift drift")
    assert all(line.startswith(" " * 10) for line in lines[1:])
    assert "[bold]" in output(console)


def test_on_a_terminal_events_stay_and_the_picture_goes() -> None:
    console = a_console(terminal=True)
    with View(console, Clock()) as view:
        view.picture(a_picture())
        view.tell("the reference is full")

    assert output(console).count("the reference is full") == 1


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (725, "12:05")])
def test_clock_text(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.034, "0.03 s"), (9.994, "9.99 s"), (172, "0:02:52")]
)
def test_duration_text(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text
