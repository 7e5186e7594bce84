"""Screens of the teacher."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from daemon.cli.render.formatting import counted, number, printable, timestamp
from daemon.cli.render.layout import cut, facts
from daemon.domain.teaching import TeacherOutcome, TeacherPurpose
from daemon.views.teacher import TaughtView, TeacherView, outcome_words

_TEXT_SHOWN = 600  # terminal cells of a question or an answer


def teacher_screen(seen: TeacherView | None) -> RenderableType:
    """Show what is left of the budget and how calls ended."""
    if seen is None:
        return Text("There is no teacher: set teacher.url and teacher.model.")
    return facts(_facts(seen))


def teacher_facts(seen: TeacherView | None) -> Iterator[tuple[str, RenderableType]]:
    """Show the teacher in two lines of another screen."""
    if seen is not None:
        yield "teacher", _budget(seen)
        if seen.problem is not None:
            yield "", Text(f"{printable(seen.problem)}: `retuned teacher show`", style="yellow")


def _facts(seen: TeacherView) -> Iterator[tuple[str, RenderableType]]:
    yield "teacher", Text(printable(seen.model), style="bold")
    yield "", printable(seen.url)
    uses = [name for name, used in (("answers prompts", seen.answers), ("judges pairs", seen.judges)) if used]
    yield "", " and ".join(uses) or "is asked nothing: teacher.answers and teacher.judges are off"
    yield "today", _budget(seen)
    for purpose, label in ((TeacherPurpose.ANSWER, "answers"), (TeacherPurpose.JUDGE, "verdicts")):
        yield label, outcome_words(seen.outcomes, purpose) or "none yet"
    if seen.problem is not None:
        yield "problem", Text(printable(seen.problem), style="yellow")
    elif seen.last_error is not None:
        error = seen.last_error
        yield "last error", timestamp(error.at)
        yield "", Text(printable(error.reason or error.outcome.value), style="yellow")


def _budget(seen: TeacherView) -> str:
    """Return what is used of the budget, such as 3 of 200 calls, 0.02 of 2."""
    calls = f"{seen.spent.calls:,} of {counted(seen.calls_a_day, 'call')} today"
    if seen.money_a_day is None:
        return calls + (f", which cost {number(seen.spent.money)}" if seen.spent.money else "")
    return f"{calls}, {number(seen.spent.money)} of {number(seen.money_a_day)} spent"


def taught_screen(found: Sequence[TaughtView]) -> RenderableType:
    """Show calls one below the other."""
    if not found:
        return Text("The teacher was asked nothing that is still kept.")
    return Group(*(facts(_call(one)) for one in found))


def discarded_screen(number: int) -> RenderableType:
    """Say what became of an answer."""
    return Text(f"Answer {number} is taken out. A version that has learned it keeps it.", style="green")


def _call(one: TaughtView) -> Iterator[tuple[str, RenderableType]]:
    call = one.call
    style = "green" if call.outcome is TeacherOutcome.ANSWERED else "yellow"
    words = Text.assemble((call.outcome.value.replace("_", " "), style), f", {printable(call.model)}")
    yield f"{call.id} {call.purpose.value}", Text.assemble(words, f", {timestamp(call.at)}")
    if one.question is not None:
        yield "asked", Text(cut(printable(one.question), _TEXT_SHOWN))
    if call.answer is not None:
        yield "answer", Text(cut(printable(call.answer), _TEXT_SHOWN))
    elif call.outcome is TeacherOutcome.ANSWERED:
        yield "answer", Text("gone with its conversation", style="dim")
    elif call.reason is not None:
        yield "because", Text(printable(call.reason))
    yield "", ""
