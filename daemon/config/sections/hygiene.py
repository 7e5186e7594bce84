"""Settings of the section ``hygiene``."""

import re
from collections.abc import Callable
from ipaddress import ip_network

from pydantic import Field, field_validator

from daemon.config.sections.base import Positive, Section
from daemon.domain.personal_data import PersonalData

#: Public name servers, which instructions name.
_NAME_SERVERS = (
    "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "208.67.222.222", "208.67.220.220", "114.114.114.114",
    "223.5.5.5", "223.6.6.6", "119.29.29.29", "2001:4860:4860::/64", "2606:4700:4700::/64",
)  # fmt: skip
#: What producers write where they know no user.
_SHARED_IDS = (
    "anonymous", "anon", "guest", "unknown", "unknown_user", "none", "null", "nil", "undefined", "nan", "n/a", "default",
    "default_user", "default_user_id", "system", "test", "user", "-", "0", "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
_DOMAIN = re.compile(r"(?!-)[\w-]{1,63}(?:\.[\w-]{1,63})+")
_FEWEST_PHONE_DIGITS = 3


class KeepSection(Section):
    """Contacts that are never redacted, such as the firm's own. Private, local and documentation addresses never are."""

    emails: tuple[str, ...] = ()
    """E-mail addresses, such as [support@example.com]. Upper and lower case are the same."""
    domains: tuple[str, ...] = ()
    """Domains whose e-mail addresses all stay, such as [example.com] with its subdomains. List none that gives addresses
    to customers."""
    phones: tuple[str, ...] = ()
    """Phone numbers, such as ["+49 30 901820"]. A number is known however a text writes it, with or without its country
    code."""
    addresses: tuple[str, ...] = _NAME_SERVERS
    """Public IP addresses and ranges, such as [192.88.99.0/24]. By default the public name servers."""

    @field_validator("emails")
    @classmethod
    def _are_emails(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(value, lambda email: _DOMAIN.fullmatch(email.partition("@")[2]), "user@example.com")

    @field_validator("domains")
    @classmethod
    def _are_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(value, lambda domain: _DOMAIN.fullmatch(domain.lstrip("@.")), "example.com")

    @field_validator("phones")
    @classmethod
    def _are_phones(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(
            value, lambda phone: sum(map(str.isdigit, phone)) >= _FEWEST_PHONE_DIGITS, "+49 30 901820"
        )

    @field_validator("addresses")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(value, _is_network, "192.88.99.0/24")


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _checked(values: tuple[str, ...], is_right: Callable[[str], object], example: str) -> tuple[str, ...]:
    wrong = [value for value in values if not is_right(value)]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: write each as {example}")
    return values


class HygieneSection(Section):
    """Personal data to redact, and records to drop, before anything is stored."""

    redact: tuple[PersonalData, ...] = tuple(PersonalData)
    """Kinds of personal data to replace by their name, such as [EMAIL]. An empty list redacts nothing."""
    phone_regions: tuple[str, ...] = ("CN", "US")
    """Regions (ISO 3166) whose phone numbers are recognised without a country code. More regions: more numbers found,
    slightly slower."""
    keep: KeepSection = KeepSection()
    """Contacts that are never redacted."""
    tenant_field: str = "tenant"
    """Metadata field that names the tenant of a conversation."""
    tenants: tuple[str, ...] | None = None
    """Tenants to accept. Conversations of other tenants, or of none, are dropped. Unset: all are accepted."""
    consent_field: str | None = None
    """Metadata field that must be true for a conversation to be accepted. Unset: consent is not required."""
    shared_user_ids: tuple[str, ...] = _SHARED_IDS
    """User ids that many people share, in upper or lower case. Their conversations count as those of no known user: each
    session, else each chat, is held out or trained on by itself, no burst is seen, and erasing such a user finds nothing."""
    burst_conversations: Positive | None = 200
    """Most conversations of one user within burst_s. Further ones become dead letters (reason burst), so that a flood
    influences neither windows nor training. Unset: no limit, for streams whose user ids are shared by many people."""
    burst_s: float = Field(3_600, ge=1)
    """Seconds over which burst_conversations counts, by the timestamps of the conversations."""

    @field_validator("phone_regions")
    @classmethod
    def _known_regions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        malformed = [region for region in value if not re.fullmatch("[A-Z]{2}", region)]
        if malformed:
            raise ValueError(f"{', '.join(malformed)}: write regions as two capitals, such as CN")
        return value
