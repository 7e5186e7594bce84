"""The text of a sample by speaker, and its words in any script."""

import re
import unicodedata
from collections.abc import Container
from itertools import chain

from monitors.types import Sample

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = r"\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_THAI_AND_LAO = r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"
_BURMESE = r"\u1000-\u103f\u1050-\u108f\u109a-\u109d"
_KHMER = r"\u1780-\u17d3\u17dc\u17dd"
#: Letters and marks of scripts that put no spaces between words.
_UNSPACED = _HAN + _KANA + _THAI_AND_LAO + _BURMESE + _KHMER
#: Marks belong to the letter before them (vowels of Hindi or Arabic); ``\w`` leaves them out.
_MARKS = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
_LETTERS = rf"[^\W\d_{_UNSPACED}]"
_WORD = rf"{_LETTERS}+(?:[{_MARKS}]+{_LETTERS}*)*"
_EMOJI = r"[\u2600-\u27bf\U0001f300-\U0001f3fa\U0001f400-\U0001faff]"
_RUNS = re.compile(rf"[{_UNSPACED}]+|{_WORD}(?:['’]{_WORD})*|{_EMOJI}")
_GRAM_LENGTHS = (2, 3)
_HAN_CHARACTER = re.compile(rf"[{_HAN}]")
_KANA_CHARACTER = re.compile(rf"[{_KANA}]")
#: Scripts that end sentences with a space, or nothing.
_WITHOUT_STOPS = re.compile(rf"[{_THAI_AND_LAO}]")
_UNSPACED_CHARACTER = re.compile(rf"[{_UNSPACED}]")


def user_text(sample: Sample) -> str:
    """Return what the user said. Drift tests use it without the replies, which change with each promoted version."""
    return _by_role(sample, "user")


def reply_text(sample: Sample) -> str:
    """Return what the assistant said."""
    return _by_role(sample, "assistant")


def words(text: str, *, gram_lengths: tuple[int, ...] = _GRAM_LENGTHS) -> list[str]:
    """Split text into lower-case words.

    Chinese, Japanese, Thai, Lao, Khmer and Burmese have no spaces between words: a run of their characters gives its
    n-grams of ``gram_lengths``, a lone character itself. An emoji is a word.
    """
    runs: list[str] = _RUNS.findall(_plain(text))
    if text.isascii():  # the most common case needs no n-grams
        return runs
    return list(chain.from_iterable(_terms_of_run(run, gram_lengths) for run in runs))


def without_words(text: str, gone: Container[str]) -> str:
    """Return a text in lower case, with spaces in place of the words that are ``gone``."""
    return _RUNS.sub(lambda run: _blanked(run[0], gone), _plain(text))


def is_han(text: str) -> bool:
    """Whether the text begins with a Han character."""
    return _HAN_CHARACTER.match(text) is not None


def has_kana(text: str) -> bool:
    """Whether the text has a kana, so that its Han characters are Japanese."""
    return _KANA_CHARACTER.search(text) is not None


def has_full_stops(character: str) -> bool:
    """Whether the script of a letter ends sentences with a full stop."""
    return _WITHOUT_STOPS.match(character) is None


def _by_role(sample: Sample, role: str) -> str:
    return "\n".join(turn.content for turn in sample.turns if turn.role == role)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _blanked(run: str, gone: Container[str]) -> str:
    if not _UNSPACED_CHARACTER.match(run):
        return " " if run in gone else run
    spans = ((at, at + n) for n in (1, *_GRAM_LENGTHS) for at in range(len(run) - n + 1))
    covered = {at for first, end in spans if run[first:end] in gone for at in range(first, end)}
    return "".join(" " if at in covered else character for at, character in enumerate(run))


def _terms_of_run(run: str, gram_lengths: tuple[int, ...]) -> list[str]:
    if len(run) == 1 or run.isascii() or not _UNSPACED_CHARACTER.match(run):
        return [run]
    return [run[start : start + n] for n in gram_lengths for start in range(len(run) - n + 1)]
