"""Puts dead letters back on the topic that they came from."""

from collections.abc import Iterator, Sequence

from daemon.domain.clock import Clock
from daemon.domain.errors import DaemonError
from daemon.domain.records import Coordinates, StoredDeadLetter
from daemon.domain.streams import BrokerUnreachable, Headers, RecordSink
from daemon.ledger.dead_letters import DeadLetterLedger

_PAGE = 500
_FLUSH_S = 10.0
#: Header of a record that was put back: topic/partition/offset of the one that was set aside.
_HEADER = "retuned.requeued"


class BytesNotKept(DaemonError):
    """A dead letter of which only the digest was kept can't be put back."""


def chosen(
    ledger: DeadLetterLedger, *, ids: Sequence[int] = (), reason: str | None = None
) -> Iterator[StoredDeadLetter]:
    """Return those with these ids, else all of a reason, else all; of the latter two those not requeued yet."""
    if ids:
        yield from [ledger.letter(id_) for id_ in ids]
        return
    before: int | None = None
    while page := ledger.newest(_PAGE, reason=reason, before=before, requeued=False):
        yield from page
        before = page[-1].id


def requeue(
    ledger: DeadLetterLedger, sink: RecordSink, letters: Iterator[StoredDeadLetter], *, clock: Clock
) -> int:
    """Send the original bytes to the topic; return how many records it has taken.

    Each is sent at least once; a conversation that comes twice is counted once. Raises BytesNotKept before
    anything of its page is sent, and BrokerUnreachable.
    """
    count = 0
    for page in _pages(letters):
        for stored in page:
            letter = stored.letter
            if letter.value is None and letter.size:
                raise BytesNotKept(
                    f"the bytes of dead letter {stored.id} were not kept (dead_letters.keep: digest); send the "
                    f"record {letter.at.topic}/{letter.at.partition}@{letter.at.offset} again from its producer"
                )
        for stored in page:
            letter = stored.letter
            origin = f"{letter.at.topic}/{letter.at.partition}/{letter.at.offset}".encode()
            sink.send(letter.at.topic, letter.key, letter.value, [(_HEADER, origin)])
        if not sink.flush(_FLUSH_S):
            raise BrokerUnreachable(
                f"the broker did not take the records within {_FLUSH_S:g} s; {count} were requeued before. Check "
                "kafka.bootstrap_servers, and say it again"
            )
        ledger.requeued([stored.id for stored in page], clock())
        count += len(page)
    return count


def put_back(headers: Headers) -> Coordinates | None:
    """Return which dead letter a record says to be; None where it says nothing that can be read."""
    for name, value in headers:
        if name == _HEADER:
            parts = value.decode(errors="replace").rsplit("/", 2)
            if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
                return Coordinates(topic=parts[0], partition=int(parts[1]), offset=int(parts[2]))
    return None


def _pages(letters: Iterator[StoredDeadLetter]) -> Iterator[list[StoredDeadLetter]]:
    page: list[StoredDeadLetter] = []
    for stored in letters:
        page.append(stored)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page
