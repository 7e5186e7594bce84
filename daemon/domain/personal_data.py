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
