"""What a dialect promises."""

from collections.abc import Iterable
from typing import Protocol

from daemon.domain.conversation import Message
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.reading import Reading


class MessageDialect(Protocol):
    """Reads one message, or one item of a list of them."""

    def writes(self, message: Object) -> bool:
        """Return whether a message has the shape of this dialect."""
        ...

    def read(self, message: Object, at: str, reading: Reading) -> Iterable[Message]:
        """Return the turns of a message, none if it is empty. Raises BadRecord, NoConversation."""
        ...
