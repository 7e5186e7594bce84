"""What the reader of an API promises."""

from typing import NamedTuple, Protocol

from daemon.domain.conversation import JSON, Message
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.reading import Reading


class Request(NamedTuple):
    """What a request asks of a model."""

    turns: tuple[Message, ...]
    tools: tuple[Object, ...] = ()
    documents: tuple[Object, ...] = ()


class Answer(NamedTuple):
    """What a response answers."""

    turns: tuple[Message, ...]
    finish_reason: JSON = None


class CallDialect(Protocol):
    """Reads the requests and responses of one API."""

    def asks(self, request: Object) -> bool:
        """Return whether a request is of this dialect."""
        ...

    def read_request(self, request: Object, at: str, reading: Reading) -> Request:
        """Return what a request asks. Raises BadRecord, NoConversation."""
        ...

    def answers(self, response: Object) -> bool:
        """Return whether a response is of this dialect."""
        ...

    def read_answer(self, response: Object, at: str, reading: Reading) -> Answer:
        """Return what a response answers. Raises BadRecord, NoConversation."""
        ...
