"""Finds the conversations that count: of each user the first in each block, by all that the ledger holds of him."""

from dataclasses import dataclass

from daemon.domain.records import StoredConversation
from daemon.domain.windows import SeqRange, StoredReference
from daemon.ledger.conversations import ConversationLedger
from monitors.user_blocks import block_for

#: References whose conversations that count are remembered.
_KNOWN = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """Conversations that count, in order."""

    talks: list[StoredConversation]
    block: int  # in so many conversations one of a user counts
    of: int  # conversations that they are of


class Counting:
    """Counts the conversations of a reference, and of a window that is compared with it, alike."""

    def __init__(self, conversations: ConversationLedger) -> None:
        self._conversations = conversations
        self._known: dict[int, tuple[int, frozenset[int]]] = {}

    def of_reference(self, reference: StoredReference) -> Counted:
        """Return those of a reference. The block is as long as it has users."""
        talks = self._conversations.of_reference(reference)
        if reference.id not in self._known:
            if len(self._known) == _KNOWN:
                self._known.clear()
            block = block_for(talk.group for talk in talks)
            counting = self._conversations.counting(talks, block)
            self._known[reference.id] = block, frozenset(talk.seq for talk in counting)
        block, seqs = self._known[reference.id]
        return Counted(talks=[talk for talk in talks if talk.seq in seqs], block=block, of=len(talks))

    def within(self, span: SeqRange, block: int) -> Counted:
        """Return those of a range; where none counts, as one user sent all of them, all."""
        talks = self._conversations.between(span)
        return Counted(talks=self._conversations.counting(talks, block) or talks, block=block, of=len(talks))
