"""The held-out conversations that the gate compares versions on."""

from dataclasses import dataclass

from daemon.domain.records import StoredConversation
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.runs import RunLedger
from registry.types import Version

NEW, OLD = "new conversations", "old conversations"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Draws two slices of held-out conversations: those since the change that a candidate learned, and those before.

    A conversation is left out if an earlier trainable one has the same words, since a version may have memorised
    them, or if it is known to have no reply to score.
    """

    ledger: ConversationLedger
    limit: int  # conversations a slice
    seed: int

    def slices(self, since_seq: int) -> dict[str, list[StoredConversation]]:
        """Return the conversations of each slice for a candidate that learned from ``since_seq`` on."""
        return {
            NEW: self.ledger.newest(self.limit, held_out=True, judgeable=True, since=since_seq),
            OLD: self.ledger.sample(
                self.limit, held_out=True, judgeable=True, before=since_seq, seed=self.seed
            ),
        }

    def sizes(self, since_seq: int) -> dict[str, int]:
        """Return how many conversations ``slices`` would return now."""
        counts = {
            NEW: self.ledger.count(held_out=True, judgeable=True, since=since_seq),
            OLD: self.ledger.count(held_out=True, judgeable=True, before=since_seq),
        }
        return {name: min(count, self.limit) for name, count in counts.items()}


def first_new_seq(runs: RunLedger, version: Version) -> int:
    """Return the seq of the first conversation that was new to a version; 1 for the bare base."""
    run = runs.run(version.run) if version.run is not None else None
    return run.since_seq if run else 1
