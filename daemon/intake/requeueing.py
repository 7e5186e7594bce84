"""Requeues dead letters: sends them to the topic that they came from."""

from collections.abc import Iterator, Sequence

from daemon.domain.clock import Clock
from daemon.domain.errors import DaemonError
from daemon.domain.records import Coordinates, StoredDeadLetter
from daemon.domain.streams import BrokerUnreachable, Headers, RecordSink
from daemon.ledger.dead_letters import DeadLetterLedger

_PAGE = 500
_FLUSH_S = 10.0
#: Header of a requeued record: topic/partition/offset of the original.
_ORIGIN_HEADER = "retuned.requeued"


class BytesNotKept(DaemonError):
    """A dead letter can't be requeued, as only its digest was kept."""


def select_letters(
    ledger: DeadLetterLedger, *, ids: Sequence[int] = (), reason: str | None = None
) -> Iterator[StoredDeadLetter]:
    """Return the letters with these ids; without ids, those of the reason, or all, that were not requeued yet."""
    if ids:
        yield from [ledger.dead_letter(id_) for id_ in ids]
        return
    before: int | None = None
    while page := ledger.newest(_PAGE, reason=reason, before=before, requeued=False):
        yield from page
        before = page[-1].id


def requeue(
    ledger: DeadLetterLedger, sink: RecordSink, letters: Iterator[StoredDeadLetter], *, clock: Clock
) -> int:
    """Send the original bytes to the topic; return the number of records that the broker acknowledged.

    Each is sent at least once; intake counts a repeated conversation once. Raises BytesNotKept before it sends anything
    of the letter's page, and BrokerUnreachable.
    """
    count = 0
    for page in _pages(letters):
        for stored in page:
            _refuse_without_bytes(stored)
        for stored in page:
            letter = stored.letter
            origin = f"{letter.at.topic}/{letter.at.partition}/{letter.at.offset}".encode()
            sink.send(letter.at.topic, letter.key, letter.value, [(_ORIGIN_HEADER, origin)])
        if not sink.flush(_FLUSH_S):
            raise BrokerUnreachable(
                f"the broker did not take the records within {_FLUSH_S:g} s; {count} were requeued before. Check "
                "kafka.bootstrap_servers, then run the command again"
            )
        ledger.mark_requeued([stored.id for stored in page], clock())
        count += len(page)
    return count


def requeued_from(headers: Headers) -> Coordinates | None:
    """Return the coordinates of the dead letter that a record was requeued from; None if its headers name none."""
    for name, value in headers:
        if name == _ORIGIN_HEADER:
            parts = value.decode(errors="replace").rsplit("/", 2)
            if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
                return Coordinates(topic=parts[0], partition=int(parts[1]), offset=int(parts[2]))
    return None


def _refuse_without_bytes(stored: StoredDeadLetter) -> None:
    letter = stored.letter
    if letter.value is None and letter.size:
        raise BytesNotKept(
            f"the bytes of dead letter {stored.id} were not kept (dead_letters.keep: digest); send the "
            f"record {letter.at.topic}/{letter.at.partition}@{letter.at.offset} again from its producer"
        )


def _pages(letters: Iterator[StoredDeadLetter]) -> Iterator[list[StoredDeadLetter]]:
    page: list[StoredDeadLetter] = []
    for stored in letters:
        page.append(stored)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page
