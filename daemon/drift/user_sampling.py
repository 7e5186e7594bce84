"""Selects the conversations that count: the first of each user in each block."""

from dataclasses import dataclass

from daemon.domain.records import StoredConversation
from daemon.domain.windows import SeqRange, StoredReference
from daemon.ledger.conversations import ConversationLedger
from monitors.user_blocks import block_length

#: Most references whose selection is remembered.
_CACHED = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class UserSample:
    """The conversations that count, in order."""

    conversations: list[StoredConversation]
    block: int  # conversations in a block; one of each user counts in it
    of: int  # conversations that these were selected from


class UserSampler:
    """Selects by the same rule from a reference and from the windows that are compared with it."""

    def __init__(self, conversations: ConversationLedger) -> None:
        self._conversations = conversations
        self._cached: dict[int, tuple[int, frozenset[int]]] = {}

    def of_reference(self, reference: StoredReference) -> UserSample:
        """Select from a reference. The length of the block follows from its users."""
        conversations = self._conversations.of_reference(reference)
        if reference.id not in self._cached:
            if len(self._cached) == _CACHED:
                self._cached.clear()
            block = block_length(conversation.group for conversation in conversations)
            counting = self._conversations.first_of_each_user(conversations, block)
            self._cached[reference.id] = block, frozenset(conversation.seq for conversation in counting)
        block, seqs = self._cached[reference.id]
        return UserSample(
            conversations=[conversation for conversation in conversations if conversation.seq in seqs],
            block=block,
            of=len(conversations),
        )

    def within(self, span: SeqRange, block: int) -> UserSample:
        """Select from a range of conversations. Where none counts, as one user sent all of them, select all."""
        conversations = self._conversations.between(span)
        return UserSample(
            conversations=self._conversations.first_of_each_user(conversations, block) or conversations,
            block=block,
            of=len(conversations),
        )
