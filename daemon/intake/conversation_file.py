"""Reads conversations from files of JSON lines, plain or gzipped."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import BadRecord
from daemon.domain.conversation import Conversation
from daemon.intake.decoding import decode
from daemon.intake.labelled_line import labelled_as_record
from daemon.intake.log_file import ConversationFileError, lines_of

#: Limits for files that are read without settings, as the demo and the benchmarks do.
FILE_LIMITS = LimitsSection(messages=1_000, message_chars=100_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileConversation:
    """One line of a file. Lines of one regime are about the same topics."""

    conversation: Conversation
    regime: str | None


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

    A line is a record of any format, or has the shape ``{"id", "lang"?, "domain"?, "messages", "labels"?}``. The latter
    has no time and gets ``received_at``; its labels ``satisfaction`` (1 to 5) and ``thumbs_up``/``thumbs_down`` become
    feedback. ``domain`` is the regime. Raises BadLine, ConversationFileError.
    """
    for number, line in lines_of(path):
        try:
            record = decode(
                labelled_as_record(line, received_at),
                limits=limits,
                received_at=received_at,
                recorded_at=received_at,
            )
        except BadRecord as bad:
            raise BadLine(path, number, str(bad)) from bad
        if not isinstance(record, Conversation):
            raise BadLine(path, number, "is feedback without its conversation")
        domain = record.metadata.get("domain")
        yield FileConversation(conversation=record, regime=domain if isinstance(domain, str) else None)
