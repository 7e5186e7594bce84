"""Finds the conversations that count: of each user the first in each block, by all that the ledger holds of him."""

from dataclasses import dataclass

from daemon.domain.records import StoredConversation
from daemon.domain.windows import SeqRange, StoredReference
from daemon.ledger.conversations import ConversationLedger
from monitors.user_blocks import block_length

#: References whose conversations that count are remembered.
_KNOWN = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class UserSample:
    """Conversations that count, in order."""

    conversations: list[StoredConversation]
    block: int  # in so many conversations one of a user counts
    of: int  # conversations that they are of


class UserSampler:
    """Counts the conversations of a reference, and of a window that is compared with it, alike."""

    def __init__(self, conversations: ConversationLedger) -> None:
        self._conversations = conversations
        self._known: dict[int, tuple[int, frozenset[int]]] = {}

    def of_reference(self, reference: StoredReference) -> UserSample:
        """Return those of a reference. The block is as long as it has users."""
        conversations = self._conversations.of_reference(reference)
        if reference.id not in self._known:
            if len(self._known) == _KNOWN:
                self._known.clear()
            block = block_length(conversation.group for conversation in conversations)
            counting = self._conversations.counting(conversations, block)
            self._known[reference.id] = block, frozenset(conversation.seq for conversation in counting)
        block, seqs = self._known[reference.id]
        return UserSample(
            conversations=[conversation for conversation in conversations if conversation.seq in seqs],
            block=block,
            of=len(conversations),
        )

    def within(self, span: SeqRange, block: int) -> UserSample:
        """Return those of a range; where none counts, as one user sent all of them, all."""
        conversations = self._conversations.between(span)
        return UserSample(
            conversations=self._conversations.counting(conversations, block) or conversations,
            block=block,
            of=len(conversations),
        )
