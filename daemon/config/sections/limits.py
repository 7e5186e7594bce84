"""Settings of the section ``limits``."""

from daemon.config.sections.base import Positive, Section


class LimitsSection(Section):
    """The largest records that intake accepts. A larger record becomes a dead letter."""

    record_bytes: Positive = 1_048_576
    """Most bytes in a record, checked before parsing."""
    messages: Positive = 200
    """Most messages in a conversation."""
    message_chars: Positive = 32_000
    """Most characters in a message."""
