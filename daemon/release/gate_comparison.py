"""Compares a candidate with the live version on held-out conversations."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from daemon.domain.records import StoredConversation
from daemon.ledger.scores import ScoreLedger
from daemon.release.held_out import NEW, OLD
from daemon.scoring.protocol import VersionScorer
from learners.errors import LearnerError
from learners.types import Score
from registry.gate import PROTECTED, TARGET, GateSettings, Pair, SliceData, judge
from registry.names import VersionName
from registry.types import GateReport, GateVerdict, Version

_ROLES = {NEW: TARGET, OLD: PROTECTED}


class GateComparison:
    """One look of the gate at one candidate. The scorer works while the loop goes on."""

    def __init__(
        self,
        candidate: Version,
        live: Version,
        slices: Mapping[str, Sequence[StoredConversation]],
        *,
        look: int,
        score_ledger: ScoreLedger,
        scorer: VersionScorer,
    ) -> None:
        self.candidate = candidate
        self.live = live
        self._slices = slices
        self._look = look
        self._score_ledger = score_ledger
        self._scorer = scorer
        self._scores: dict[VersionName, dict[int, tuple[float, int]]] = {}  # nll and tokens, by seq
        self._pending: list[tuple[Version, Future[list[Score]]]] = []

    def start(self) -> None:
        """Ask the scorer for the scores that the ledger does not have."""
        self._pending = [(version, self._score(version)) for version in (self.live, self.candidate)]

    def done(self) -> bool:
        """Return whether all scores have arrived, or scoring has failed."""
        return all(future.done() for _, future in self._pending)

    def conclude(self, settings: GateSettings) -> GateReport:
        """Keep the scores and judge. Raises LearnerError where scoring failed."""
        for version, future in self._pending:
            found = {int(score.id): (score.nll, score.tokens) for score in future.result()}
            finite = {seq: score for seq, score in found.items() if math.isfinite(score[0])}
            self._score_ledger.add(str(version.name), finite)
            self._scores[version.name] |= found
        slices = [
            self._slice(name, conversations)
            for name, conversations in self._slices.items()
            if conversations or name == NEW
        ]
        return judge(slices, settings, look=self._look, against=self.live.name)

    def reject(self, error: LearnerError, settings: GateSettings) -> GateReport:
        """Reject a candidate because it, or the live version, can't be scored at all."""
        return GateReport(
            verdict=GateVerdict.REJECT,
            reason=f"{self.candidate.name} and {self.live.name} can't be compared: {error}",
            alpha=settings.alpha,
            look=self._look,
        )

    def _score(self, version: Version) -> Future[list[Score]]:
        conversations = {one.seq: one for members in self._slices.values() for one in members}
        known = self._score_ledger.of(str(version.name), conversations)
        self._scores[version.name] = known
        return self._scorer.score(version, [one for seq, one in conversations.items() if seq not in known])

    def _slice(self, name: str, conversations: Sequence[StoredConversation]) -> SliceData:
        live, candidate = self._scores[self.live.name], self._scores[self.candidate.name]
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
