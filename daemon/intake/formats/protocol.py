"""What a log format promises."""

from collections.abc import Sequence
from typing import Protocol

from daemon.domain.conversation import Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.reading import Reading


class LogFormat(Protocol):
    """One kind of log: knows its records by their shape, and reads them."""

    @property
    def name(self) -> str:
        """The name in the settings, in refusals and in ``retuned ingest check``."""
        ...

    def recognises(self, record: Object) -> bool:
        """Return whether a record has the shape of this format. Looks at few fields, and raises nothing."""
        ...

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return what the record holds: one conversation or feedback, or several. Raises BadRecord, NoConversation."""
        ...
