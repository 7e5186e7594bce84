"""Describes how a conversation is written, in any language and on any subject. Loads nothing heavy."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from monitors.texts import has_kana, is_han, reply_text, user_text
from monitors.types import Sample

#: Fewest letters of Latin text whose language is guessed. py3langid is right for 76% of texts of 10 to 14 letters, 90% of
#: 15 to 19, 95% of 20 to 24 and 98% above (English, German, Spanish, French, Italian, Portuguese; chatterbot-corpus).
_MIN_LETTERS_FOR_LANGUAGE = 20
_QUESTION_MARKS = "?？؟;՞"
_QUESTION = re.compile(f"[{re.escape(_QUESTION_MARKS)}]")
_CHINESE = {"zh", "wuu", "yue"}  # varieties that short texts don't distinguish


def shape_of(sample: Sample) -> dict[str, float]:
    """Return lengths in characters, the number of turns, and shares from 0 to 1 that describe how it is written."""
    messages = [turn.content for turn in sample.turns if turn.role == "user"]
    text = user_text(sample)
    visible = "".join(text.split())
    return {
        "user_characters": len(text),
        "reply_characters": len(reply_text(sample)),
        "turns": len(sample.turns),
        "question_share": _share(sum(bool(_QUESTION.search(message)) for message in messages), len(messages)),
        "non_letter_share": _share(len(visible) - _letters(visible), len(visible)),
        "repeated_share": _share(_empty_or_repeated(messages), len(messages)),
    }


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _empty_or_repeated(messages: Sequence[str]) -> int:
    texts = [" ".join(message.lower().split()) for message in messages]
    return len(texts) - len({text for text in texts if text})


def script_of(text: str) -> str:
    """Return the script of most letters (LATIN, CJK, CYRILLIC, ...), or "none"."""
    if text.isascii():
        return "LATIN" if any(map(str.isalpha, text)) else "none"
    scripts: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if character.isalpha():
            scripts[_script_of(character)] += count
    return scripts.most_common(1)[0][0] if scripts else "none"


@functools.lru_cache(maxsize=16_384)
def _script_of(character: str) -> str:
    return "HAN" if is_han(character) else unicodedata.name(character, "unknown").split(" ")[0]


def language_of(text: str, script: str) -> str:
    """Return an ISO 639 code, or "unknown" where the text is too short to guess."""
    letters = _letters(text)
    if not letters or (script == "LATIN" and letters < _MIN_LETTERS_FOR_LANGUAGE):
        return "unknown"
    if script == "HAN" and not has_kana(text):
        return "zh"
    import py3langid  # type: ignore[import-untyped]  # loads its model in 0.4 s

    code: str = py3langid.classify(text)[0]
    return "zh" if code in _CHINESE else code
