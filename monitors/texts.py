"""What was said in a sample, by whom, and how it is cut into words in any script."""

import re
import unicodedata
from collections.abc import Container
from itertools import chain

from monitors.types import Sample

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(rf"[{_HAN}]+|[^\W\d_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)*")
_LONGEST_HAN = 3  # characters of a Chinese word, as words are cut
_HAN_CHARACTER = re.compile(rf"[{_HAN}]")


def user_text(sample: Sample) -> str:
    """Return what the user said. Replies are left out of drift tests: promoting a version changes them."""
    return _said(sample, "user")


def reply_text(sample: Sample) -> str:
    """Return what the assistant said."""
    return _said(sample, "assistant")


def words(text: str, *, han_lengths: tuple[int, ...] = (2, 3)) -> list[str]:
    """Cut text into lower-case words.

    Chinese puts no spaces between words, so a run of Han characters gives its n-grams of
    ``han_lengths`` instead, and a lone character itself.
    """
    runs = _RUNS.findall(_plain(text))
    return list(chain.from_iterable(_cut(run, han_lengths) for run in runs))


def without_words(text: str, gone: Container[str]) -> str:
    """Return what is left of a text, in lower case, where spaces stand for the words that are ``gone``."""
    return _RUNS.sub(lambda run: _left(run[0], gone), _plain(text))


def is_han(text: str) -> bool:
    """Whether the text begins with a Han character."""
    return _HAN_CHARACTER.match(text) is not None


def _said(sample: Sample, role: str) -> str:
    return "\n".join(turn.content for turn in sample.turns if turn.role == role)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _left(run: str, gone: Container[str]) -> str:
    if not is_han(run):
        return " " if run in gone else run
    spans = ((at, at + n) for n in range(1, _LONGEST_HAN + 1) for at in range(len(run) - n + 1))
    covered = {at for first, end in spans if run[first:end] in gone for at in range(first, end)}
    return "".join(" " if at in covered else character for at, character in enumerate(run))


def _cut(run: str, han_lengths: tuple[int, ...]) -> list[str]:
    if not is_han(run) or len(run) == 1:
        return [run]
    return [run[start : start + n] for n in han_lengths for start in range(len(run) - n + 1)]
