"""The kinds of personal data that are redacted."""

from enum import StrEnum


class PersonalData(StrEnum):
    """A kind of personal data. Its value in brackets and capitals, such as [EMAIL], replaces what was found."""

    SECRET = "secret"  # noqa: S105 - a kind, no password
    EMAIL = "email"
    IBAN = "iban"
    NATIONAL_ID = "id"
    CARD = "card"
    IP = "ip"
    PHONE = "phone"

    @property
    def placeholder(self) -> str:
        """What replaces a piece of this kind in texts."""
        return f"[{self.value.upper()}]"


#: All that stands for personal data in texts. A model must not learn to write these: they are never targets.
PLACEHOLDERS = tuple(kind.placeholder for kind in PersonalData)
