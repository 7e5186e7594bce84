"""Settings of the section ``hygiene``."""

import re

from pydantic import Field, field_validator

from daemon.config.sections.base import Positive, Section
from daemon.domain.personal_data import PersonalData


class HygieneSection(Section):
    """Personal data to redact, and records to drop, before anything is stored."""

    redact: tuple[PersonalData, ...] = tuple(PersonalData)
    """Kinds of personal data to replace by their name, such as [EMAIL]. An empty list redacts nothing."""
    phone_regions: tuple[str, ...] = ("CN", "US")
    """Regions (ISO 3166) whose phone numbers are recognised without a country code. More regions: more numbers found,
    slightly slower."""
    tenant_field: str = "tenant"
    """Metadata field that names the tenant of a conversation."""
    tenants: tuple[str, ...] | None = None
    """Tenants to accept. Conversations of other tenants, or of none, are dropped. Unset: all are accepted."""
    consent_field: str | None = None
    """Metadata field that must be true for a conversation to be accepted. Unset: consent is not required."""
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
