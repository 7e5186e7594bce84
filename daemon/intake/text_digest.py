"""What conversations say, without how it is written: equal for the same words in any case, width and spacing."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence

from daemon.domain.conversation import Message


def plain_words(messages: Iterable[Message]) -> list[list[str]]:
    """Return the words of each message, as spaces part them."""
    return [_words(message.content) for message in messages]


def _words(text: str) -> list[str]:
    if text.isascii():  # the same outcome, several times faster
        return text.lower().split()
    return unicodedata.normalize("NFKC", text).casefold().split()


def text_digest(messages: Sequence[Message], words: Iterable[Sequence[str]] | None = None) -> str:
    """Return a digest that is equal for conversations of the same words. ``words``: their plain words, if at hand."""
    spoken = zip(messages, words or plain_words(messages), strict=True)
    said = "".join([f"{message.role}\0{' '.join(told)}\0" for message, told in spoken])
    return hashlib.sha256(said.encode()).hexdigest()
