"""Says whose conversations may be kept at all. What is not known to be allowed is not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from daemon.domain.conversation import Conversation, Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Fields of a conversation's metadata that must say yes. Without any, everybody is admitted."""

    tenant_field: str = "tenant"
    tenants: Collection[str] | None = None  # None: all
    consent_field: str | None = None  # must be true

    def admits(self, record: Record) -> bool:
        """Say whether a record may be kept by what it says: a field that is absent, or of another type, says no."""
        if self.tenants is not None and _text(record.metadata, self.tenant_field) not in self.tenants:
            return False
        return self.consent_field is None or record.metadata.get(self.consent_field) is True

    def source(self, conversation: Conversation) -> str | None:
        """Return who produced a conversation, where it says so."""
        return _text(conversation.metadata, self.tenant_field)


def _text(metadata: Mapping[str, object], field: str) -> str | None:
    value = metadata.get(field)
    # Not every database keeps a NUL in a text, and nobody's name has one.
    return value if isinstance(value, str) and "\0" not in value else None
