"""Digests of conversations that ignore case, character width and spacing."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence

from daemon.domain.conversation import Message


def normalized_words(messages: Iterable[Message]) -> list[list[str]]:
    """Return the words of each message, split at spaces, in lower case and half width."""
    return [_words(message.content) for message in messages]


def _words(text: str) -> list[str]:
    if text.isascii():  # the same result, faster
        return text.lower().split()
    return unicodedata.normalize("NFKC", text).casefold().split()


def text_digest(messages: Sequence[Message], words: Iterable[Sequence[str]] | None = None) -> str:
    """Return a digest that is equal for conversations with the same words; ``words`` are their normalized words, if known."""
    pairs = zip(messages, words or normalized_words(messages), strict=True)
    text = "".join([f"{message.role}\0{' '.join(its_words)}\0" for message, its_words in pairs])
    return hashlib.sha256(text.encode()).hexdigest()
