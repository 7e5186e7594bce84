"""Kinds of personal data that are taken out of texts."""

from enum import StrEnum


class PersonalData(StrEnum):
    """What is taken out. Its value, in capitals and brackets, is what stands there instead."""

    SECRET = "secret"  # noqa: S105 - a kind, no password
    EMAIL = "email"
    IBAN = "iban"
    NATIONAL_ID = "id"
    CARD = "card"
    IP = "ip"
    PHONE = "phone"
