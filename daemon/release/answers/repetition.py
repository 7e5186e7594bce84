"""Finds answers that repeat themselves, as models do that lost their way. Pure."""

import re

from daemon.release.answers.words import words

#: Share of repeated 4-grams from which an answer repeats itself, and the fewest words that this is told of.
_SHARE, _FEWEST = 0.6, 40
#: Words at the end of an answer that must be one passage again and again, and how often.
_LONGEST_PASSAGE, _TIMES, _LOOP = 40, 4, 16
_N = 4
_READ = 20_000  # characters
#: One to four characters that follow each other 40 times, but for those that rules and tables are drawn with.
_STUTTER = re.compile(r"([^\s\-=_*.~#|+─━]{1,4}?)\1{39,}")


def repeats_itself(text: str) -> bool:
    """Return whether most of a long answer was said before in it, or it ends in a loop."""
    text = text[-_READ:]
    said = words(text)
    return (
        _STUTTER.search(text) is not None
        or _ends_in_a_loop(said)
        or (len(said) >= _FEWEST and _repeated_share(said) >= _SHARE)
    )


def _repeated_share(said: list[str]) -> float:
    """Return the share of 4-grams that came before."""
    grams = [tuple(said[start : start + _N]) for start in range(len(said) - _N + 1)]
    return 1 - len(set(grams)) / len(grams)


def _ends_in_a_loop(said: list[str]) -> bool:
    """Return whether the last words are one passage, four times or more."""
    for period in range(1, min(_LONGEST_PASSAGE, len(said) // _TIMES) + 1):
        tail = said[-max(_LOOP, period * _TIMES) :]
        if len(tail) >= _LOOP and tail[period:] == tail[:-period]:
            return True
    return False
