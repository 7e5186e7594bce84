"""What the records of a log file become, format by format."""

import re
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from daemon.domain.bad_record import BadRecord, NoConversation
from daemon.domain.conversation import Conversation, Message
from daemon.intake.log_file import LogFileReader, LogLine
from daemon.intake.privacy.redaction import Redactor

_INDEX = re.compile(r"\[\d+\]")
_EXAMPLES = 2


@dataclass(kw_only=True, slots=True)
class Finding:
    """Records that give no conversation for one reason, at one field."""

    reason: str
    field: str  # without positions in lists: messages[].role
    message: str  # of the first
    line: int  # of the first
    count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A conversation as it is stored, without personal data."""

    line: int
    user: str | None  # masked
    session: bool
    at: datetime
    tools: int
    messages: tuple[Message, ...]


@dataclass(kw_only=True, slots=True)
class FormatSample:
    """What the records of one format become."""

    format: str  # "unknown" for those that no format recognises
    records: int = 0
    conversations: int = 0
    feedback: int = 0
    without_user: int = 0  # conversations
    without_session: int = 0
    without_time: int = 0
    refused: list[Finding] = field(default_factory=list)
    passed_over: list[Finding] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSample:
    """What a log file becomes."""

    file: Path
    formats: tuple[FormatSample, ...]  # the most frequent first
    unusable_feedback: dict[str, int]

    @property
    def conversations(self) -> int:
        """The conversations in the file."""
        return sum(one.conversations for one in self.formats)

    @property
    def feedback(self) -> int:
        """The opinions that come without their conversations."""
        return sum(one.feedback for one in self.formats)

    @property
    def refused(self) -> int:
        """The records that would be dead letters."""
        return sum(finding.count for one in self.formats for finding in one.refused)

    @property
    def passed_over(self) -> int:
        """The records that are in order and hold no conversation."""
        return sum(finding.count for one in self.formats for finding in one.passed_over)

    def document(self) -> dict[str, object]:
        """Return the sample for programs."""
        return {
            "conversations": self.conversations,
            "refused": self.refused,
            "passed_over": self.passed_over,
            **asdict(self),
        }


def log_sample(
    file: Path, reader: LogFileReader, *, redactor: Redactor | None = None, most: int | None = None
) -> LogSample:
    """Read a file, or its first ``most`` records. Examples are kept with a ``redactor``. Raises ConversationFileError."""
    samples: dict[str, FormatSample] = {}
    for count, line in enumerate(reader.read(file), 1):
        name = line.format or "unknown"
        _add(samples.setdefault(name, FormatSample(format=name)), line, reader.received_at, redactor)
        if count == most:
            break
    return LogSample(
        file=file,
        formats=tuple(sorted(samples.values(), key=lambda one: -one.records)),
        unusable_feedback={str(reason): count for reason, count in reader.unusable_feedback.items()},
    )


def _add(sample: FormatSample, line: LogLine, received_at: datetime, redactor: Redactor | None) -> None:
    sample.records += 1
    if line.refused is not None:
        _note(sample, line.refused, line.number)
    for record in line.records:
        if not isinstance(record, Conversation):
            sample.feedback += 1
            continue
        sample.conversations += 1
        sample.without_user += record.user_id is None
        sample.without_session += record.session_id is None
        sample.without_time += record.at == received_at
        if redactor is not None and len(sample.examples) < _EXAMPLES:
            sample.examples.append(_example(record, line.number, redactor))


def _note(sample: FormatSample, bad: BadRecord, line: int) -> None:
    is_absent = isinstance(bad, NoConversation)
    reason = str(bad.kind) if isinstance(bad, NoConversation) else str(bad.reason)
    place = _INDEX.sub("[]", bad.field)
    findings: list[Finding] = sample.passed_over if is_absent else sample.refused
    known = next((one for one in findings if (one.reason, one.field) == (reason, place)), None)
    if known is None:
        known = Finding(reason=reason, field=place, message=bad.message, line=line)
        findings.append(known)
    known.count += 1


def _example(record: Conversation, line: int, redactor: Redactor) -> Example:
    return Example(
        line=line,
        user=None if record.user_id is None else f"{record.user_id[:1]}***",
        session=record.session_id is not None,
        at=record.at,
        tools=len(record.tools),
        messages=tuple(_redacted(message, redactor) for message in record.messages),
    )


def _redacted(message: Message, redactor: Redactor) -> Message:
    calls = [replace(call, arguments=redactor.redact(call.arguments).text) for call in message.tool_calls]
    return replace(
        message,
        content=redactor.redact(message.content).text,
        reasoning=None if message.reasoning is None else redactor.redact(message.reasoning).text,
        tool_calls=tuple(calls),
    )
