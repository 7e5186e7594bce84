"""Reads files of logs: JSON lines or one JSON list, plain or gzipped, in any of the formats."""

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from daemon.config.settings import FeedbackSection, IntakeSection, LimitsSection
from daemon.domain.bad_record import BadRecord
from daemon.domain.conversation import Record
from daemon.domain.errors import DaemonError
from daemon.domain.unusable_feedback import Unusable
from daemon.intake.decoding import decode_document
from daemon.intake.formats.envelopes.kserve import Halves, lonely_half
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.registry import AUTO, format_of, formats_for
from daemon.intake.labelled_line import labelled_as_record
from daemon.intake.unwrapping import unwrap


class ConversationFileError(DaemonError):
    """A file can't be read as conversations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """What one document of a file holds: records, or why there are none."""

    number: int  # of the line, from 1
    format: str | None  # that it was recognised as
    records: tuple[Record, ...] = ()
    refused: BadRecord | None = None  # a NoConversation where it is in order


@dataclass(kw_only=True, slots=True)
class LogFileReader:
    """Reads the lines of a file with the settings of a model line; counts the feedback that can't be read."""

    limits: LimitsSection
    received_at: datetime  # also the time of what names none
    intake: IntakeSection = field(default_factory=IntakeSection)
    feedback: FeedbackSection = field(default_factory=FeedbackSection)
    format: str = AUTO
    unusable_feedback: Counter[Unusable] = field(default_factory=Counter)

    def read(self, path: Path) -> Iterator[LogLine]:
        """Yield what each document holds, in the file's order. Raises ConversationFileError."""
        halves: Halves[int] = Halves()
        for number, line in lines_of(path):
            yield from self._line(number, line, halves)
        for number in halves.left():
            yield LogLine(number=number, format="kserve", refused=lonely_half())

    def _line(self, number: int, line: bytes, halves: Halves[int]) -> Iterator[LogLine]:
        reading = Reading(
            limits=self.limits,
            received_at=self.received_at,
            recorded_at=self.received_at,
            intake=self.intake,
            feedback=self.feedback,
            unusable_feedback=self.unusable_feedback,
        )
        formats = formats_for(self.format, self.intake)
        try:
            documents = unwrap(labelled_as_record(line, self.received_at), limits=self.limits)
        except BadRecord as bad:
            yield LogLine(number=number, format=None, refused=bad)
            return
        for one in documents:
            document = halves.join(one, number)
            if document is None:
                continue
            try:
                name = format_of(document, formats).name
                records = tuple(decode_document(document, reading, formats=formats))
            except BadRecord as bad:
                yield LogLine(number=number, format=bad.format, refused=bad)
            else:
                yield LogLine(number=number, format=name, records=records)


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers from 1; of a JSON list over several lines its items.

    Raises ConversationFileError.
    """
    try:
        with path.open("rb") as file:
            lines = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file
            for number, line in enumerate(lines, 1):
                if line.strip() in (b"[", b"[{"):
                    yield from enumerate(_items(path, line + lines.read()), number)
                    return
                if line.strip():
                    yield number, line
    except (OSError, EOFError) as error:
        raise ConversationFileError(
            f"{path} can't be read: {error}; give a .jsonl or .jsonl.gz file"
        ) from error


def _items(path: Path, text: bytes) -> list[bytes]:
    try:
        return [orjson.dumps(item) for item in orjson.loads(text)]
    except orjson.JSONDecodeError as error:
        raise ConversationFileError(
            f"{path} is neither JSON lines nor one JSON list (line {error.lineno})"
        ) from None
