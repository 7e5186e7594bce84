"""JSON as an answer. Pure."""

import json
import re

_FENCE = re.compile(r"```(?:json\w*|JSON)?\s*\n(.*?)```", re.DOTALL)
#: How prompts ask for JSON, in English and Chinese.
_ASKS = re.compile(
    r"\b(?:respond|reply|answer|return|output|write|give|provide|format(?:ted)?)\b[^.\n]{0,60}\b(?:in|as|with|only|valid|a)\s+"
    r"(?:(?:only|valid|a|an|pure|raw|strict|single)\s+){0,3}json"
    r"(?=\s*(?:$|[.,;:!?()`]|(?:object|array|list|format|document|string|only|and|with|that|containing|using|please)\b))"
    r"|(?:以|用|按|返回|输出)[^。\n]{0,12}json",
    re.IGNORECASE,
)


def asks_for_json(prompt: str) -> bool:
    """Return whether a prompt asks for JSON as the answer."""
    return _ASKS.search(prompt) is not None


def is_json(text: str) -> bool:
    """Return whether a text is a JSON object or array, alone or in its only code block."""
    blocks = _FENCE.findall(text)
    return _is_document(blocks[0] if len(blocks) == 1 else text)


def _is_document(text: str) -> bool:
    text = text.strip()
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
