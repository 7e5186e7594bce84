"""KServe's logger: a request and its response are two CloudEvents with one id, which are joined within a batch."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.bodies import body_of
from daemon.intake.formats.exchange import Exchange, conversation_of
from daemon.intake.formats.reading import Reading

Source = TypeVar("Source")

_TYPES = "org.kubeflow.serving.inference."
_REQUEST, _RESPONSE = f"{_TYPES}request", f"{_TYPES}response"
#: The type of the document that stands for both events.
_JOINED = f"{_TYPES}exchange"
_OF_EVENTS = frozenset({"specversion", "type", "request", "response", "datacontenttype", "contenttype"})


class KServeFormat:
    """Events of the types ``org.kubeflow.serving.inference.request`` and ``.response``, joined by :class:`Halves`."""

    name = "kserve"

    def recognises(self, record: Object) -> bool:
        """Return whether a record is one of the events, or both joined."""
        kind = record.get("type")
        return isinstance(kind, str) and kind.startswith(_TYPES)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation of two joined events. Raises BadRecord, also for one alone, and NoConversation."""
        if record.get("type") != _JOINED:
            raise lonely_half()
        request, response = body_of(record.get("request")), body_of(record.get("response"))
        if not isinstance(request, dict) or not ("messages" in request or "input" in request):
            raise NoConversation(Absence.NOT_CHAT, "data", "is no request of a chat")
        exchange = Exchange(
            record={name: value for name, value in record.items() if name != "id"},
            request=request,
            response=response,
            taken=_OF_EVENTS,
            id=None if isinstance(response, dict) and response.get("id") else str(record.get("id")),
        )
        return (conversation_of(exchange, reading),)


class Halves(Generic[Source]):
    """The events of a batch that wait for the other one with their id, each with where it came from."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Object, Source]] = {}

    def join(self, document: Object, source: Source) -> Object | None:
        """Return the document as it is, or joined to its other half; None if that has not come yet."""
        kind, id_ = document.get("type"), document.get("id")
        if kind not in (_REQUEST, _RESPONSE) or not isinstance(id_, str):
            return document
        other = self._waiting.pop(id_, None)
        if other is None or other[0].get("type") == kind:
            self._waiting[id_] = (document, source)
            return None
        halves = {str(half["type"]): half for half in (document, other[0])}
        request, response = halves[_REQUEST], halves[_RESPONSE]
        return {
            **request,
            **response,
            "type": _JOINED,
            "request": request.get("data"),
            "response": response.get("data"),
            "data": None,
        }

    def left(self) -> Iterator[Source]:
        """Yield where the events came from that are alone."""
        for _, source in self._waiting.values():
            yield source


def lonely_half() -> BadRecord:
    """Return the refusal of an event whose other half did not come."""
    alone = BadRecord(
        Reason.UNSUPPORTED, "id",
        "is a request or a response alone: its other event is not in the same batch; requeue both dead "
        "letters (`retuned deadletters requeue FIRST SECOND`), and key the events by their id so that both go to one partition",
    )  # fmt: skip
    alone.read_as(KServeFormat.name)
    return alone
