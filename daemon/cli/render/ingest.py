"""Screen of ``ingest check``: what a log becomes."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from daemon.cli.render.formatting import counted, printable, timestamp
from daemon.cli.render.layout import cut, facts, heading, indented, listed
from daemon.domain.conversation import Message
from daemon.views.log_sample import Example, Finding, FormatSample, LogSample

_TEXT_SHOWN = 300  # characters of a turn


def log_sample_screen(sample: LogSample) -> RenderableType:
    """Say what the records become, then why the others do not, what is missing, and show examples."""
    parts: list[RenderableType] = [_summary(sample), heading("Formats"), _formats(sample.formats)]
    refused = [(one.format, finding) for one in sample.formats for finding in one.refused]
    passed_over = [(one.format, finding) for one in sample.formats for finding in one.passed_over]
    if refused:
        parts += [heading("Refused: these become dead letters"), *_findings(refused)]
    if passed_over:
        parts += [
            heading("Passed over: these are in order and hold no conversation"),
            *_findings(passed_over),
        ]
    if missing := list(_missing(sample)):
        parts += [heading("Missing"), indented(facts(missing))]
    for one in sample.formats:
        for example in one.examples:
            parts += [heading(f"Example ({one.format}, line {example.line})"), _example(example)]
    return Group(*parts)


def _summary(sample: LogSample) -> RenderableType:
    good = not sample.refused and sample.conversations
    said = [
        counted(sample.conversations, "conversation"),
        f"{sample.refused:,} refused",
        f"{sample.passed_over:,} passed over",
    ]
    return Text(f"{sample.file}: {', '.join(said)}.", style="bold green" if good else "bold red")


def _formats(samples: Sequence[FormatSample]) -> RenderableType:
    if not samples:
        return "  the file is empty"
    names = ("records", "conversations", "feedback", "refused", "passed over")
    table = listed("format", *names, right=names)
    for one in samples:
        refused, passed_over = (sum(each.count for each in found) for found in (one.refused, one.passed_over))
        numbers = (one.records, one.conversations, one.feedback, refused, passed_over)
        table.add_row(one.format, *(f"{number:,}" for number in numbers))
    return indented(table)


def _findings(found: Sequence[tuple[str, Finding]]) -> Iterator[RenderableType]:
    for format_, finding in found:
        place = f" at {finding.field}" if finding.field else ""
        yield indented(
            Text(
                printable(
                    f"{finding.count:,} × {finding.reason}{place} ({format_}, first in line {finding.line})"
                )
            )
        )
        yield indented(Text(printable(finding.message), style="yellow"), 4)


def _missing(sample: LogSample) -> Iterator[tuple[str, RenderableType]]:
    without = {
        name: sum(getattr(one, f"without_{name}") for one in sample.formats)
        for name in ("user", "session", "time")
    }
    meanings = {
        "user": "`retuned forget --user` can't find them, and each conversation is held out by itself",
        "session": "a chat is known again by its turns only",
        "time": "they are dated when Kafka got them",
    }
    for name, count in without.items():
        if count:
            yield name, f"{counted(count, 'conversation')} without: {meanings[name]}"
    if sample.unusable_feedback:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sample.unusable_feedback.items())
        yield "feedback", f"opinions that can't be read: {reasons}; see the settings of feedback"


def _example(example: Example) -> RenderableType:
    session = "yes" if example.session else "no"
    about = f"user {example.user or 'none'}, session {session}, {timestamp(example.at)}, {counted(example.tools, 'tool')}"
    return Group(indented(Text(printable(about), style="dim")), indented(facts(_turns(example.messages))))


def _turns(messages: Sequence[Message]) -> Iterator[tuple[str, RenderableType]]:
    for message in messages:
        role: str = message.role
        if message.reasoning:
            yield role, Text(_line(message.reasoning), style="dim italic")
            role = ""
        if message.content or not (message.reasoning or message.tool_calls):
            yield role, _line(message.content)
            role = ""
        for call in message.tool_calls:
            yield role, Text(_line(f"{call.name}({call.arguments})"), style="cyan")
            role = ""
        if not message.learned:
            yield "", Text("not learned", style="yellow")
        if message.cut_off:
            yield "", Text("cut off here", style="yellow")


def _line(text: str) -> str:
    """Return the beginning of a text from outside on one line."""
    return cut(printable(" ".join(text.split())), _TEXT_SHOWN)
