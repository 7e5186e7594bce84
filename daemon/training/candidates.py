"""Reads the conversations that a training set is chosen from."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from daemon.domain.left_out import why_not_learned
from daemon.domain.lessons import LessonKind
from daemon.domain.records import StoredConversation
from daemon.ledger.conversations import ConversationLedger
from daemon.training.taught_rows import LessonReader, TaughtRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """Conversations that teach something, in the order of their seqs, and how many others there are by reason."""

    rows: tuple[TaughtRow, ...]
    disliked: tuple[
        StoredConversation, ...
    ]  # the newest of those whose last answer users disliked, learned or not
    left_out: Mapping[str, int]


def newest_candidates(
    ledger: ConversationLedger,
    reader: LessonReader,
    *,
    limit: int,
    since: int,
    before: int | None,
    check: Callable[[], None],
) -> Candidates:
    """Return the newest ``limit`` trainable conversations that teach something, and count those passed over.

    Conversations without an answer are among them: another one may continue them. ``check`` is called for each page.
    """
    rows: list[TaughtRow] = []
    disliked: list[StoredConversation] = []
    left_out: Counter[str] = Counter()
    while len(rows) < limit:
        check()
        page = ledger.newest(limit, held_out=False, since=since, before=before)
        if not page:
            break
        before = page[0].seq
        for conversation in reversed(page):
            row = reader.new(conversation)
            if row.kind is LessonKind.DISLIKED and len(disliked) < limit:
                disliked.append(conversation)
            if row.lessons or row.kind is None:
                rows.append(row)
            else:
                left_out[why_not_learned(row.kind)] += 1
            if len(rows) == limit:
                break
    return Candidates(rows=tuple(reversed(rows)), disliked=tuple(reversed(disliked)), left_out=dict(left_out))


def drawn_candidates(
    ledger: ConversationLedger, reader: LessonReader, *, count: int, before: int, seed: int
) -> tuple[TaughtRow, ...]:
    """Draw earlier conversations that can be replayed, from so many."""
    drawn = ledger.sample(count, held_out=False, before=before, seed=seed)
    rows = (reader.replayed(conversation) for conversation in drawn)
    return tuple(row for row in rows if row.lessons or row.kind is None)
