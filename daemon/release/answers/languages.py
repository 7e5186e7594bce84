"""Whether an answer is in the language that it should be in. Pure."""

import re

from monitors.shape import language_of, script_of

#: Fewest letters of a text whose language is told, in scripts of letters and of syllables or characters.
_LETTERS, _CHARACTERS = 40, 6
_DENSE = frozenset({"HAN", "HIRAGANA", "KATAKANA", "HANGUL"})
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)


def language(text: str) -> str | None:
    """Return the ISO 639 code of a text's language without its code and addresses; None where it is too short to tell."""
    prose = _CODE.sub(" ", text)
    script = script_of(prose)
    if sum(map(str.isalpha, prose)) < (_CHARACTERS if script in _DENSE else _LETTERS):
        return None
    found = language_of(prose, script)
    return None if found == "unknown" else found
