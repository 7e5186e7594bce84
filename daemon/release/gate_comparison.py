"""Scores a candidate and the live version on held-out conversations, and asks the gate."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from daemon.domain.records import StoredConversation
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.trainings import TrainingLedger
from daemon.scoring.protocol import VersionScorer
from learners.errors import LearnerError
from learners.types import Score
from registry.gate import GateSettings, Pair, SliceData, judge
from registry.names import VersionName
from registry.types import GateReport, GateVerdict, Version

NEW, OLD = "new conversations", "old conversations"
_ROLES = {NEW: "target", OLD: "protected"}


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """The held-out conversations that the gate compares on: what the candidate should have learned, and what came before.

    Left out are those whose words a trainable conversation said earlier, as a version may have learned them by
    heart, and those that are known to have no reply to score.
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
        """Return how many conversations ``slices`` would give now."""
        counts = {
            NEW: self.ledger.count(held_out=True, judgeable=True, since=since_seq),
            OLD: self.ledger.count(held_out=True, judgeable=True, before=since_seq),
        }
        return {name: min(count, self.limit) for name, count in counts.items()}


class GateComparison:
    """One look of the gate at one candidate: scoring goes on in the scorer while the loop turns."""

    def __init__(
        self,
        candidate: Version,
        live: Version,
        slices: Mapping[str, Sequence[StoredConversation]],
        *,
        look: int,
        ledger: TrainingLedger,
        loaded: VersionScorer,
    ) -> None:
        """Start scoring what was not scored before."""
        self.candidate = candidate
        self.live = live
        self._slices = slices
        self._look = look
        self._ledger = ledger
        self._known: dict[VersionName, dict[int, tuple[float, int]]] = {}
        self._pending = [(version, self._score(version, loaded)) for version in (live, candidate)]

    def done(self) -> bool:
        """Whether all scores are there, or scoring failed."""
        return all(future.done() for _, future in self._pending)

    def conclude(self, settings: GateSettings) -> GateReport:
        """Keep the scores and judge. Raises what the scorer raised."""
        for version, future in self._pending:
            found = {int(score.id): (score.nll, score.tokens) for score in future.result()}
            finite = {seq: score for seq, score in found.items() if math.isfinite(score[0])}
            self._ledger.add_scores(str(version.name), finite)
            self._known[version.name] |= found
        slices = [
            self._slice(name, conversations)
            for name, conversations in self._slices.items()
            if conversations or name == NEW
        ]
        return judge(slices, settings, look=self._look, against=self.live.name)

    def refuse(self, error: LearnerError, settings: GateSettings) -> GateReport:
        """Reject a candidate because it, or the live version, can't be scored at all."""
        return GateReport(
            verdict=GateVerdict.REJECT,
            reason=f"{self.candidate.name} and {self.live.name} can't be compared: {error}",
            alpha=settings.alpha,
            look=self._look,
        )

    def _score(self, version: Version, loaded: VersionScorer) -> Future[list[Score]]:
        conversations = {
            conversation.seq: conversation
            for conversations in self._slices.values()
            for conversation in conversations
        }
        known = self._known[version.name] = self._ledger.scores(str(version.name), conversations)
        return loaded.score(
            version, [conversation for seq, conversation in conversations.items() if seq not in known]
        )

    def _slice(self, name: str, conversations: Sequence[StoredConversation]) -> SliceData:
        live, candidate = self._known[self.live.name], self._known[self.candidate.name]
        pairs = [
            Pair(
                id=conversation.conversation_id,
                group=conversation.group,
                live_nll=live[conversation.seq][0],
                candidate_nll=candidate[conversation.seq][0],
                tokens=live[conversation.seq][1],
            )
            for conversation in conversations
            if live[conversation.seq][1] > 0
        ]
        return SliceData(name=name, role=_ROLES[name], pairs=tuple(pairs))
