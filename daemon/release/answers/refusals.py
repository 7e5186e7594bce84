"""Recognises answers that refuse, in English and Chinese. Pure."""

import re

#: Refusals open an answer.
_READ = 240
_ENGLISH = re.compile(
    r"""
    \b(?:i|we)(?:\s+am|'m|\s+are|'re)?\s*
    (?:(?:really|very|so|truly)\s+)?(?:sorry|afraid)\b[^.!?\n]{0,60}?\b(?:can(?:'t|not|\s+not)|unable|not\s+able|won't|not\s+allowed)
    | \bi\s+(?:can(?:'t|not|\s+not)|won't|will\s+not|must\s+not|am\s+not\s+able\s+to|am\s+unable\s+to)\s+
      (?:\w+\s+){0,2}?(?:help(?!\s+(?:it|but|myself|feeling|thinking))|assist|answer|provide|give|do\s+(?:that|this)|fulfil?l|comply|discuss|share|respond|support|engage|offer|complete|create|generate|write)
    | \bi'm\s+(?:unable|not\s+able|not\s+allowed|not\s+permitted)\s+to\b
    | \bas\s+an?\s+(?:ai|artificial\s+intelligence|(?:large\s+)?language\s+model)\b
    | \bi\s+(?:do\s+not|don't)\s+(?:have\s+(?:the\s+)?(?:ability|access|capability|permission)|feel\s+comfortable)
    | \b(?:i\s+must|i\s+have\s+to)\s+(?:decline|refuse)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CHINESE = re.compile(
    "(?:抱歉|对不起|很遗憾|不好意思)[，,。！!\\s]{0,2}(?:但是?|不过)?(?:我们?|本店)?(?:暂时|目前|现在|还|也)?(?:不能|无法|没办法|没有办法|不便|不可以)"
    "|我(?:不能|无法|没办法|没有办法)(?:为您|为你|向您|向你|给您|给你|就此)?(?:提供|帮助|协助|回答|完成|讨论|满足|执行|处理|帮)"
    "|作为(?:一个|一款|一名)?(?:人工智能|AI|ai|大?语言模型|大型语言模型|智能助手)"
    "|我拒绝"
)


def refuses(text: str) -> bool:
    """Return whether an answer opens with a refusal."""
    opening = text[:_READ].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _ENGLISH.search(opening) is not None or _CHINESE.search(opening) is not None
