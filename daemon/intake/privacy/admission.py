"""Decides which records may be kept, by tenant and consent."""

from collections.abc import Mapping

from daemon.config.settings import HygieneSection
from daemon.domain.conversation import Conversation, Record


class Admission:
    """Checks the metadata fields that the settings name. If they name none, every record is admitted."""

    def __init__(self, hygiene: HygieneSection) -> None:
        self._tenant_field = hygiene.tenant_field
        self._tenants = None if hygiene.tenants is None else frozenset(hygiene.tenants)
        self._consent_field = hygiene.consent_field

    def admits(self, record: Record) -> bool:
        """Return whether a record may be kept. A field that is absent or of the wrong type refuses it."""
        if self._tenants is not None and _text(record.metadata, self._tenant_field) not in self._tenants:
            return False
        return self._consent_field is None or record.metadata.get(self._consent_field) is True

    def source(self, conversation: Conversation) -> str | None:
        """Return the tenant that produced a conversation, if it names one."""
        return _text(conversation.metadata, self._tenant_field)


def _text(metadata: Mapping[str, object], field: str) -> str | None:
    value = metadata.get(field)
    # PostgreSQL stores no NUL in a text, and no tenant's name has one.
    return value if isinstance(value, str) and "\0" not in value else None
