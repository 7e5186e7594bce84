"""Reads the training set of a run."""

from pathlib import Path

from learners.codec import conversation_from_line
from learners.errors import BadRequest
from learners.models.base import sha256_of
from learners.types import Conversation


def read_conversations(data: Path, digest: str) -> list[Conversation]:
    """Return the conversations of a JSON lines file, in order.

    Raises BadRequest if the file's digest differs, and for a line that can't be used, which it names.
    """
    if not data.is_file():
        raise BadRequest(f"{data} does not exist")
    found = sha256_of(data)
    if found != digest:
        raise BadRequest(f"{data} has sha256 {found}, the request says {digest}: it was changed since")
    conversations = []
    with data.open(encoding="utf-8", newline="\n") as lines:
        try:
            for number, line in enumerate(lines, start=1):
                conversations.append(_conversation(line, f"{data.name}, line {number}"))
        except UnicodeDecodeError as error:
            raise BadRequest(f"{data.name} is not UTF-8 after line {len(conversations)}: {error}") from error
    return conversations


def _conversation(line: str, where: str) -> Conversation:
    try:
        return conversation_from_line(line)
    except BadRequest as error:
        raise BadRequest(f"{where}: {error}") from error
