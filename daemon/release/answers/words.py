"""Words of an answer: those of scripts with spaces, and the characters of scripts without. Pure."""

import re

_NO_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_NO_SPACES}]|[^\W_{_NO_SPACES}]+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; each Chinese or Japanese character counts as one."""
    return _WORD.findall(text.lower())
