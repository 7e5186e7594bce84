"""Scores a sample of the conversations under the live version, as late signals for the detector."""

import hashlib
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from daemon.config.settings import MonitorsSection
from daemon.domain.backoff import Backoff
from daemon.domain.clock import Clock
from daemon.domain.lessons import LessonRules
from daemon.domain.records import StoredConversation
from daemon.domain.windows import SeqRange, StoredReference
from daemon.drift.detector_state import state_from_json
from daemon.drift.imitable_answers import imitable
from daemon.ledger.signals import ScoringCandidate
from daemon.ledger.stores import Stores
from daemon.scoring.protocol import VersionScorer
from learners.errors import LearnerError
from learners.types import Score
from registry.types import Version

_log = logging.getLogger(__name__)
#: Conversations of the reference that are scored, once per reference.
_REFERENCE = 200
#: Conversations in one batch. The gate has priority, and waits for one batch at most.
_BATCH = 8
_PAGE = 1_000  # conversations that are read at a time to draw from
#: Most drawn conversations that wait to be scored; beyond it, a smaller share is drawn.
_WAITING = 200
#: Batches without an answer to imitate that are passed over at a time, so that a step is short.
_PASSED_OVER = 10
#: Seconds between a batch that could not be scored and the next.
_PAUSE_S = 60


class LiveLossStage:
    """Records the live version's loss on a uniform sample of the reference and of the stream after it, in their order.

    The keyed hash of a conversation's id alone decides whether it is drawn. The stage works while the scorer is idle;
    where it falls behind, it draws a smaller share of all that waits, and logs this. From the reference it draws only
    conversations that no version was trained on, as the loss on training data is too low. Of all that it draws it scores
    the answers to imitate; own answers that nobody had judged or corrected by then are none. A batch that can't be scored is
    skipped.
    """

    name = "live_loss"

    def __init__(
        self,
        stores: Stores,
        monitors: MonitorsSection,
        scorer: VersionScorer,
        *,
        rules: LessonRules,
        live: Callable[[], Version | None],
        busy: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """``live`` returns the live version; ``busy`` whether other work needs the scorer or its processor."""
        self._windows = stores.windows
        self._conversations = stores.conversations
        self._detectors = stores.detectors
        self._signals = stores.signals
        self._scorer = scorer
        self._rules = rules
        self._live = live
        self._busy = busy
        self._share = monitors.loss_share
        self._clock = clock
        self._reference_id: int | None = None
        self._of_reference: deque[int] = deque()  # conversations of the reference that wait to be scored
        self._seq = 0  # the newest conversation that draws have covered
        self._until, self._drawn_share = 0, self._share  # this share is drawn up to this conversation
        self._batch: _Batch | None = None
        self._backoff = Backoff(_PAUSE_S)

    def step(self) -> None:
        """Record the scores of a batch that is done, or begin the next batch."""
        if self._batch is not None:
            if self._batch.scores.done():
                batch, self._batch = self._batch, None
                self._record(batch)
        elif self._may_score():
            self._begin()

    def close(self, timeout_s: float) -> None:
        """Nothing to release: a batch that was not recorded is drawn again."""

    def _may_score(self) -> bool:
        rested = self._backoff.ready(self._clock().timestamp())
        return self._share > 0 and rested and self._scorer.ready and not self._busy()

    def _begin(self) -> None:
        reference, live = self._windows.reference(), self._live()
        if reference is None or live is None or reference.version != str(live.name):
            return  # the reference follows a promotion after a moment
        if reference.id != self._reference_id and not self._follow(reference):
            return
        for _ in range(_PASSED_OVER):
            if found := self._imitable(self._next(), reference.version):
                self._batch = _Batch(version=reference.version, scores=self._scorer.score(live, found))
                return

    def _imitable(self, seqs: Sequence[int], live: str) -> list[StoredConversation]:
        """Return the conversations with an answer to imitate, as they should have gone, in order of seq."""
        drawn = self._conversations.by_seq(seqs)
        return [taught for one in drawn if (taught := imitable(one, self._rules, live=live)) is not None]

    def _sample(self, reference: StoredReference, span: SeqRange) -> list[int]:
        """Draw the conversations of a reference that are scored, in order."""
        ranked = sorted(self._signals.never_trained_on(span), key=_rank)
        chosen: list[int] = []
        for first in range(0, len(ranked), _REFERENCE):
            page = [candidate.seq for candidate in ranked[first : first + _REFERENCE]]
            taught = {one.seq for one in self._imitable(sorted(page), reference.version)}
            chosen += [seq for seq in page if seq in taught]
            if len(chosen) >= _REFERENCE:
                break
        return sorted(chosen[:_REFERENCE])

    def _follow(self, reference: StoredReference) -> bool:
        """Continue with a reference where the ledger says; False while its detector has not begun."""
        stored = self._detectors.stored(reference.id)
        if reference.range is None or stored is None:
            return False
        drawn = self._signals.drawn(reference.version, reference.range)
        sample = self._sample(reference, reference.range)
        self._of_reference = deque(seq for seq in sample if seq not in drawn)
        self._seq = max(self._signals.last_drawn(reference.version), state_from_json(stored.state).begins)
        self._until = 0
        self._reference_id = reference.id
        return True

    def _next(self) -> list[int]:
        """Draw the next batch. The reference comes first: it calibrates the bets on the stream."""
        if self._of_reference:
            return [self._of_reference.popleft() for _ in range(min(_BATCH, len(self._of_reference)))]
        if self._seq >= self._until:
            self._choose_share()
        page = [
            candidate for candidate in self._signals.after(self._seq, _PAGE) if candidate.seq <= self._until
        ]
        drawn = [candidate.seq for candidate in page if _rank(candidate) < self._drawn_share][:_BATCH]
        if page:
            self._seq = drawn[-1] if len(drawn) == _BATCH else page[-1].seq
        return drawn

    def _choose_share(self) -> None:
        """Choose the share to draw of all conversations that have arrived."""
        self._until = self._conversations.last_seq()
        waiting = (self._until - self._seq) * self._share
        self._drawn_share = self._share * min(1.0, _WAITING / waiting) if waiting else self._share
        if waiting > _WAITING:
            _log.warning(
                "about %d conversations wait to be scored under the live version: %d of them are drawn", waiting, _WAITING,
                extra={"action": "score"},
            )  # fmt: skip

    def _record(self, batch: "_Batch") -> None:
        try:
            scores = batch.scores.result()
        except LearnerError as error:
            self._backoff.fail(self._clock().timestamp())
            _log.warning(
                "conversations could not be scored under %s and are skipped: %s", batch.version, error,
                extra={"action": "score", "version": str(batch.version)},
            )  # fmt: skip
            return
        self._backoff.reset()
        found = {int(score.id): (score.nll, score.tokens) for score in scores if math.isfinite(score.nll)}
        if found:
            self._signals.add_losses(batch.version, found)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """Conversations that are being scored."""

    version: str
    scores: Future[list[Score]]


def _rank(candidate: ScoringCandidate) -> float:
    """Return a uniform number in [0, 1) that depends on the conversation alone and is independent of other draws."""
    return int.from_bytes(hashlib.sha256(f"loss\0{candidate.hash}".encode()).digest()[:8]) / 2**64
