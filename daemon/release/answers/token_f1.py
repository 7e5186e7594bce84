"""Token F1 of an answer against a good one, as SQuAD computes it (Rajpurkar et al. 2016, arXiv:1606.05250). Pure."""

from collections import Counter

from daemon.release.answers.words import words

_ARTICLES = frozenset({"a", "an", "the"})


def token_f1(answer: str, good: str) -> float:
    """Return the harmonic mean of precision and recall of an answer's words, from 0 to 1.

    Case, punctuation and English articles don't count. Chinese and Japanese are compared by characters.
    """
    found, wanted = _counted(answer), _counted(good)
    if not found or not wanted:
        return float(found == wanted)
    common = (found & wanted).total()
    return 2 * common / (found.total() + wanted.total())


def _counted(text: str) -> Counter[str]:
    return Counter(word for word in words(text) if word not in _ARTICLES)
