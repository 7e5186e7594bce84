"""Separates what a conversation says itself from text that many conversations share word for word.

Instructions under which every request runs, passages that a search pastes into questions, and canned greetings make
conversations look alike that have nothing in common. Only what users and the assistant say is read.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from daemon.domain.conversation import Message

#: Adjacent words that make a passage. Phrases of everyday language are shorter.
_PASSAGE = 6
#: A passage is shared if it stands in more than this many conversations, and in more than this share of them.
_SHARED_BY, _SHARED_BY_SHARE = 5, 0.005
#: The fewest adjacent words of its own by which a conversation is told apart from others with the same shared text.
#: Fewer are a corrected typo or another number: such conversations are copies.
_OWN_WORDS = 3
#: Stand in the sequence of words where a turn begins; no word contains them.
_USER, _ASSISTANT = "\x01", "\x02"
_UNKNOWN = 0  # a word that stands in no shared passage
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
#: Words, and single characters of the scripts that put no spaces between words.
_WIDE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORDS = re.compile(rf"[{_WIDE}]|[^\W{_WIDE}]+")

_Codes = NDArray[np.uint64]
_Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenText:
    """Runs of adjacent words of a conversation, by who said them."""

    user: tuple[tuple[str, ...], ...]
    assistant: tuple[tuple[str, ...], ...]


class SharedText:
    """The passages that many of some conversations share."""

    def __init__(self, numbers: dict[str, int], passages: _Codes, counts: _Counts) -> None:
        """``numbers`` are those of the words, from 1; ``passages`` are codes of the shared ones, in order."""
        self._numbers = numbers
        self._passages = passages
        self._counts = counts  # conversations in which each passage stands

    def own_text(self, messages: Iterable[Message]) -> SpokenText:
        """Return what a conversation says itself; all that it says where that is next to nothing."""
        words = _spoken(messages)
        shared = self._shared_words(words)
        own = _runs(words, shared) if shared.any() else None
        if own is not None and any(len(run) >= _OWN_WORDS for run in (*own.user, *own.assistant)):
            return own
        return _runs(words, np.zeros(len(words), dtype=bool))

    def _shared_words(self, words: Sequence[str]) -> NDArray[np.bool_]:
        """Tell for each word whether it stands in a shared passage."""
        covered = np.zeros(len(words) + 1, dtype=np.int64)
        number = self._numbers.get
        codes = _passages([number(word, _UNKNOWN) for word in words])
        if len(codes) and len(self._passages):
            starts = np.flatnonzero(self._are_shared(codes))
            covered[starts] += 1
            covered[starts + _PASSAGE] -= 1
        shared: NDArray[np.bool_] = covered.cumsum()[:-1] > 0
        return shared

    def _are_shared(self, codes: _Codes) -> NDArray[np.bool_]:
        """Tell which of a conversation's passages are shared.

        A passage that is much rarer than one that overlaps it reaches from shared text into the conversation's own.
        """
        places = np.minimum(np.searchsorted(self._passages, codes), len(self._passages) - 1)
        counts = np.where(self._passages[places] == codes, self._counts[places], 0)
        if not counts.any():
            return np.zeros(len(codes), dtype=bool)
        overlapping = sliding_window_view(np.pad(counts, _PASSAGE - 1), 2 * _PASSAGE - 1)
        shared: NDArray[np.bool_] = (counts > 0) & (2 * counts >= overlapping.max(axis=1))
        return shared


def find_shared_text(conversations: Iterable[Sequence[Message]]) -> SharedText:
    """Find the passages that many of these conversations share. The conversations are those with different words."""
    numbers: dict[str, int] = {}
    found: list[_Codes] = []
    for messages in conversations:
        words = _spoken(messages)
        found.append(np.unique(_passages([numbers.setdefault(word, len(numbers) + 1) for word in words])))
    if not found:
        return SharedText({}, np.array([], dtype=np.uint64), np.array([], dtype=np.int64))
    codes, counts = np.unique(np.concatenate(found), return_counts=True)
    shared = counts > max(_SHARED_BY, _SHARED_BY_SHARE * len(found))
    return SharedText(numbers, codes[shared], counts[shared])


def _spoken(messages: Iterable[Message]) -> list[str]:
    """Return the words of users and assistant in lower case and half width, with a mark where each turn begins."""
    words: list[str] = []
    for message in messages:
        if message.role == "user":
            words.append(_USER)
        elif message.role == "assistant":
            words.append(_ASSISTANT)
        else:
            continue
        words += _words_of(message.content)
        for call in message.tool_calls:
            words += _words_of(f"{call.name} {call.arguments}")
    return words


def _words_of(text: str) -> list[str]:
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return _WORDS.findall(folded)


def _passages(numbers: Sequence[int]) -> _Codes:
    """Return a code for each ``_PASSAGE`` adjacent words; equal passages have equal codes."""
    count = len(numbers) - _PASSAGE + 1
    if count < 1:
        return np.array([], dtype=np.uint64)
    values = np.array(numbers, dtype=np.uint64)
    codes = np.zeros(count, dtype=np.uint64)
    for place in range(_PASSAGE):
        codes = codes * _FACTOR + values[place : place + count]
    return codes


def _runs(words: Sequence[str], shared: NDArray[np.bool_]) -> SpokenText:
    """Return the runs of words that are not shared."""
    sides: dict[str, list[list[str]]] = {_USER: [], _ASSISTANT: []}
    side, inside = _USER, False
    for word, is_shared in zip(words, shared.tolist(), strict=True):
        if word in sides:
            side, inside = word, False
        elif is_shared:
            inside = False
        elif inside:
            sides[side][-1].append(word)
        else:
            sides[side].append([word])
            inside = True
    return SpokenText(user=tuple(map(tuple, sides[_USER])), assistant=tuple(map(tuple, sides[_ASSISTANT])))
