"""Takes personal data and secrets out of texts before anything is stored."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon.domain.conversation import JSON
from daemon.domain.personal_data import PersonalData

if TYPE_CHECKING:
    from daemon.intake.privacy.recognisers import Span


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without what was found in it."""

    text: str
    found: Mapping[PersonalData, int] = field(default_factory=dict)


_DIGITS = re.compile(r"[0-9][0-9 ().\-/]{5,}")  # numbers of all kinds, IPv4 addresses
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]")  # IPv6 addresses
#: The beginnings of credentials, those with a dash or an underscore apart: few texts have one.
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
_JOINED_CREDENTIALS = (
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "glrt-", "gldt-", "sk-", "k_live", "k_test", "xox",
    "-----BEGIN", "npm_", "_authToken", "hf_", "pypi-", "access_key",
)  # fmt: skip
#: Spaces and dashes of word processors.
_TYPOGRAPHIC = "\u00a0\u2007\u2009\u202f\u200b\u2060\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
#: Full-width letters, digits and signs, as Chinese input methods write them, and Arabic and Persian digits.
_WIDE = "０-９Ａ-Ｚａ-ｚ＠\u0660-\u0669\u06f0-\u06f9"
_FULL_WIDTH = re.compile(f"[{_WIDE}{_TYPOGRAPHIC}]")  # one class: alternatives would take twice the time
_IN_NUMBERS = re.compile(f"[{_WIDE}]|[0-9][{_TYPOGRAPHIC}]")
_HALF_WIDTH: dict[int, int | None] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **{first + digit: 0x30 + digit for first in (0x0660, 0x06F0) for digit in range(10)},
    **dict.fromkeys((0x3000, 0x00A0, 0x2007, 0x2009, 0x202F), 0x20),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), 0x2D),
    **dict.fromkeys((0x200B, 0x2060)),
}


def _plain(text: str) -> str:
    if text.isascii() or (found := _FULL_WIDTH.search(text)) is None:
        return text
    if found[0] in _TYPOGRAPHIC and not _IN_NUMBERS.search(text):
        return text
    return text.translate(_HALF_WIDTH)


def _suspicious(text: str) -> bool:
    """Say whether a text deserves a second look; most don't, and this takes a few microseconds."""
    if "@" in text or _DIGITS.search(text) or (":" in text and _COLONS.search(text)):
        return True
    if ("_" in text or "-" in text) and _has_any(text, _JOINED_CREDENTIALS):
        return True
    return _has_any(text, _CREDENTIALS)


def _has_any(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - a generator would take longer than the search
        if word in text:
            return True
    return False


class Redactor:
    """Replaces what it recognises by its kind, such as ``[EMAIL]``.

    The same text always gives the same text, and redacting again changes nothing. A text with nothing in it is
    returned as it is, after one quick look.
    """

    def __init__(
        self,
        kinds: Iterable[PersonalData] = tuple(PersonalData),
        *,
        phone_regions: Sequence[str] = ("CN", "US"),
    ) -> None:
        """``phone_regions``: where numbers without a country code are dialled (ISO 3166, such as CN)."""
        wanted = frozenset(kinds)
        self._kinds = [kind for kind in PersonalData if kind in wanted]  # in the order of their declaration
        self._phone_regions = tuple(phone_regions)

    def suspects(self, text: str) -> bool:
        """Say whether ``redact`` would look twice at a text, or at any part of it."""
        return bool(self._kinds) and _suspicious(_plain(text))

    def redact(self, text: str) -> Redacted:
        """Return the text without what is recognised. Full-width forms become plain ones where something was."""
        if not self._kinds:
            return Redacted(text)
        plain = _plain(text)
        if not _suspicious(plain):
            return Redacted(text)
        found: Counter[PersonalData] = Counter()
        before = ""
        while plain != before:  # one finding may have hidden another behind it
            before = plain
            for kind in self._kinds:
                if kind is not PersonalData.EMAIL or "@" in plain:
                    plain = self._without(kind, plain, found)
        return Redacted(plain, dict(found)) if found else Redacted(text)

    def redact_json(self, value: JSON, found: Counter[PersonalData]) -> JSON:
        """Return JSON whose texts are redacted, the keys of objects included; count in ``found``."""
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

    def _without(self, kind: PersonalData, text: str, found: Counter[PersonalData]) -> str:
        spans = sorted(self._recogniser(kind)(text))
        if not spans:
            return text
        parts, end = [], 0
        for span in spans:
            if span.start >= end:
                parts += [text[end : span.start], f"[{kind.upper()}]"]
                found[kind] += 1
            end = max(end, span.end)
        return "".join(parts) + text[end:]

    def _recogniser(self, kind: PersonalData) -> "Callable[[str], Iterable[Span]]":
        from daemon.intake.privacy import recognisers as known

        simple = {
            PersonalData.SECRET: known.secrets,
            PersonalData.EMAIL: known.emails,
            PersonalData.IBAN: known.ibans,
            PersonalData.NATIONAL_ID: known.national_ids,
            PersonalData.CARD: known.cards,
            PersonalData.IP: known.ip_addresses,
        }
        return simple.get(kind) or (lambda text: known.phones(text, self._phone_regions))
