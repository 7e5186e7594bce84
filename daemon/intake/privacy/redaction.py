"""Removes personal data and secrets from texts."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from daemon.config.settings import HygieneSection
from daemon.domain.conversation import JSON
from daemon.domain.personal_data import PersonalData

if TYPE_CHECKING:
    from daemon.intake.privacy.references import Span


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without the personal data found in it, and how many pieces of each kind were removed."""

    text: str
    found: Mapping[PersonalData, int] = field(default_factory=dict)


_DIGITS = re.compile(r"[0-9][0-9 ().\-/]{5,}")  # numbers of all kinds, IPv4 addresses
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]")  # IPv6 addresses
#: Beginnings of credentials.
_CREDENTIALS = (
    "AKIA",
    "ASIA",
    "A3T",
    "ABIA",
    "ACCA",
    "AIza",
    "eyJ",
    "SG.",
    "hooks.slack",
    "earer ",
    "ccessKey",
)
#: Those with a dash or an underscore, which few texts contain: they are searched only there.
_JOINED_CREDENTIALS = (
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "glrt-", "gldt-", "sk-", "k_live", "k_test", "xox",
    "-----BEGIN", "npm_", "_authToken", "hf_", "pypi-", "access_key",
)  # fmt: skip
#: Spaces and dashes that word processors insert.
_TYPOGRAPHIC = "\u00a0\u2007\u2009\u202f\u200b\u2060\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
#: Full-width letters and digits of Chinese input methods, and Arabic and Persian digits.
_WIDE = "０-９Ａ-Ｚａ-ｚ＠\u0660-\u0669\u06f0-\u06f9"
_FULL_WIDTH = re.compile(f"[{_WIDE}{_TYPOGRAPHIC}]")  # one class is faster than alternatives
_IN_NUMBERS = re.compile(f"[{_WIDE}]|[0-9][{_TYPOGRAPHIC}]")
_HALF_WIDTH: dict[int, int | None] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **{first + digit: 0x30 + digit for first in (0x0660, 0x06F0) for digit in range(10)},
    **dict.fromkeys((0x3000, 0x00A0, 0x2007, 0x2009, 0x202F), 0x20),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), 0x2D),
    **dict.fromkeys((0x200B, 0x2060)),
}


def _to_half_width(text: str) -> str:
    if text.isascii() or (found := _FULL_WIDTH.search(text)) is None:
        return text
    if found[0] in _TYPOGRAPHIC and not _IN_NUMBERS.search(text):
        return text
    return text.translate(_HALF_WIDTH)


def _suspicious(text: str) -> bool:
    """Return whether a text may hold personal data. A fast pre-check that rules out most texts."""
    if "@" in text or _DIGITS.search(text) or (":" in text and _COLONS.search(text)):
        return True
    if ("_" in text or "-" in text) and _has_any(text, _JOINED_CREDENTIALS):
        return True
    return _has_any(text, _CREDENTIALS)


def _has_any(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - a generator would be slower than the search
        if word in text:
            return True
    return False


class Redactor:
    """Replaces what it recognises by its kind, such as ``[EMAIL]``.

    The same text always gives the same result, and redacting twice changes nothing more. A text without personal data
    is returned unchanged.
    """

    def __init__(self, hygiene: HygieneSection) -> None:
        # In the order of their declaration, as recognisers may overlap.
        self._kinds = [kind for kind in PersonalData if kind in hygiene.redact]
        self._hygiene = hygiene

    def suspects(self, text: str) -> bool:
        """Return whether a text, or any part of it, may hold personal data."""
        return bool(self._kinds) and _suspicious(_to_half_width(text))

    def redact(self, text: str) -> Redacted:
        """Return the text without personal data. If any is found, full-width characters become half-width."""
        if not self._kinds:
            return Redacted(text)
        remaining = _to_half_width(text)
        if not _suspicious(remaining):
            return Redacted(text)
        found: Counter[PersonalData] = Counter()
        before = ""
        while remaining != before:  # one match may have hidden another
            before = remaining
            for kind, recognise in self._recognisers:
                if spans := sorted(recognise(remaining)):
                    remaining = _without(spans, kind, remaining, found)
        return Redacted(remaining, dict(found)) if found else Redacted(text)

    def redact_json(self, value: JSON, found: Counter[PersonalData]) -> JSON:
        """Redact all texts of a JSON value, keys of objects included; add to ``found`` what was removed."""
        if isinstance(value, str):
            redacted = self.redact(value)
            found.update(redacted.found)
            return redacted.text
        if isinstance(value, Mapping):
            return {
                str(self.redact_json(key, found)): self.redact_json(item, found)
                for key, item in value.items()
            }
        if isinstance(value, Sequence):
            return [self.redact_json(item, found) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.redact_json(str(value), found) if self.redact(str(value)).found else value
        return value

    @cached_property
    def _recognisers(self) -> "Sequence[tuple[PersonalData, Callable[[str], Iterable[Span]]]]":
        from daemon.intake.privacy.recognition import recognition

        by_kind = recognition(self._hygiene)
        return [(kind, by_kind[kind]) for kind in self._kinds]


def _without(spans: "Sequence[Span]", kind: PersonalData, text: str, found: Counter[PersonalData]) -> str:
    """Return the text with the kind's name in place of these spans, which are in order; count them in ``found``."""
    parts, end = [], 0
    for span in spans:
        if span.start >= end:
            parts += [text[end : span.start], kind.placeholder]
            found[kind] += 1
        end = max(end, span.end)
    return "".join(parts) + text[end:]
