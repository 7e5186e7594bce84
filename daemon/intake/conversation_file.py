"""Reads conversations from files of JSON lines, plain or gzipped."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import BadRecord
from daemon.domain.conversation import JSON, Conversation
from daemon.domain.errors import DaemonError
from daemon.intake.decoding import decode

#: Limits for files that are read without settings, as the demo and the benchmarks do.
FILE_LIMITS = LimitsSection(messages=1_000, message_chars=100_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileConversation:
    """One line of a file. Lines of one regime are about the same topics."""

    conversation: Conversation
    regime: str | None


class ConversationFileError(DaemonError):
    """A file can't be read as conversations."""


class BadLine(ConversationFileError):
    """One line is not a conversation."""

    def __init__(self, path: Path, number: int, problem: str) -> None:
        super().__init__(f"{path}, line {number}: {problem}; correct or remove the line")
        self.path = path
        self.number = number


def read_conversations(
    path: Path, *, limits: LimitsSection, received_at: datetime
) -> Iterator[FileConversation]:
    """Yield the conversations of a file, in its order.

    A line is either a record (see the record schema) or has the shape
    ``{"id", "lang"?, "domain"?, "messages", "labels"?}``. The latter has no time and gets ``received_at``; its labels
    ``satisfaction`` (1 to 5) and ``thumbs_up``/``thumbs_down`` become feedback. ``domain`` is the regime.
    Raises BadLine, ConversationFileError.
    """
    for number, line in _lines(path):
        try:
            record = decode(_as_record(line, received_at), limits=limits, received_at=received_at)
        except BadRecord as bad:
            raise BadLine(path, number, str(bad)) from bad
        if not isinstance(record, Conversation):
            raise BadLine(path, number, "is feedback without its conversation")
        domain = record.metadata.get("domain")
        yield FileConversation(conversation=record, regime=domain if isinstance(domain, str) else None)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers from 1."""
    try:
        with path.open("rb") as file:
            lines = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError) as error:
        raise ConversationFileError(
            f"{path} can't be read: {error}; give a .jsonl or .jsonl.gz file"
        ) from error


def _as_record(line: bytes, received_at: datetime) -> bytes:
    """Turn a line with an ``id`` into a record; leave all others, valid or not, to the decoder."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    if not isinstance(found, dict) or "id" not in found or "conversation_id" in found:
        return line
    labels = found.get("labels") or {}
    metadata = {key: value for key, value in found.items() if key not in {"id", "messages"}}
    return orjson.dumps(
        {
            "conversation_id": found["id"],
            "ts": received_at.isoformat(),
            "messages": found.get("messages"),
            "feedback": _feedback(labels) if isinstance(labels, dict) else None,
            "metadata": metadata,
        }
    )


def _feedback(labels: dict[str, JSON]) -> dict[str, JSON] | None:
    rating = labels.get("satisfaction")
    up, down = labels.get("thumbs_up"), labels.get("thumbs_down")
    if isinstance(rating, int | float):
        return {"rating": rating}
    if isinstance(up, int) and isinstance(down, int) and up != down:
        return {"thumb": "up" if up > down else "down"}
    return None
