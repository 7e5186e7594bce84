"""Turns sections of the settings into the plain values that intake takes."""

from daemon.config.settings import Settings
from daemon.intake.decoding import Limits
from daemon.intake.privacy.admission import Admission
from daemon.intake.privacy.redaction import Redactor


def limits(settings: Settings) -> Limits:
    """Return what a record may look like."""
    section = settings.limits
    return Limits(
        max_record_bytes=section.record_bytes,
        max_messages=section.messages,
        max_content_chars=section.message_chars,
    )


def redactor(settings: Settings) -> Redactor:
    """Return what takes personal data out."""
    return Redactor(settings.hygiene.redact, phone_regions=settings.hygiene.phone_regions)


def admission(settings: Settings) -> Admission:
    """Return whose conversations may be kept."""
    section = settings.hygiene
    tenants = None if section.tenants is None else frozenset(section.tenants)
    return Admission(tenant_field=section.tenant_field, tenants=tenants, consent_field=section.consent_field)
