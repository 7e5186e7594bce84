"""The held-out lessons that the gate compares versions on."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.domain.lessons import LessonRules
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.held_out_seqs import HeldOutSeqs
from daemon.ledger.runs import RunLedger
from daemon.release.held_out_lessons import HeldOutLesson, held_out_lesson
from daemon.release.other_prompts import with_other_prompts
from registry.types import Version

NEW, OLD = "new conversations", "old conversations"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Draws two slices of held-out lessons: those since the change that a candidate learned, and those before.

    Only conversations with an answer to imitate count: an own answer that nobody judged, or that users disliked, shows
    nothing of how good a version is. A conversation is left out if an earlier trainable one has the same words, since a
    version may have memorised them, or if it is known to have no reply to score.
    """

    ledger: ConversationLedger
    seqs: HeldOutSeqs
    rules: LessonRules
    limit: int  # lessons a slice
    seed: int

    def slices(self, since_seq: int) -> dict[str, list[HeldOutLesson]]:
        """Return the lessons of each slice for a candidate that learned from ``since_seq`` on."""
        return with_other_prompts(
            {
                NEW: self._lessons(self.seqs.newest(self.limit, since=since_seq)),
                OLD: self._lessons(self.seqs.sample(self.limit, before=since_seq, seed=self.seed)),
            }
        )

    def sizes(self, since_seq: int) -> dict[str, int]:
        """Return how many lessons ``slices`` would return now."""
        counts = {NEW: self.seqs.count(since=since_seq), OLD: self.seqs.count(before=since_seq)}
        return {name: min(count, self.limit) for name, count in counts.items()}

    def _lessons(self, seqs: Sequence[int]) -> list[HeldOutLesson]:
        stored = self.ledger.with_histories(self.ledger.by_seq(seqs))
        found = (held_out_lesson(conversation, self.rules) for conversation in stored)
        return [lesson for lesson in found if lesson is not None]


def first_new_seq(runs: RunLedger, version: Version) -> int:
    """Return the seq of the first conversation that was new to a version; 1 for the bare base."""
    run = runs.run(version.run) if version.run is not None else None
    return run.since_seq if run else 1
