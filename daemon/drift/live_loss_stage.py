"""Scores a sample of the conversations under the live version, so that the detector hears of its loss."""

import hashlib
import logging
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.domain.clock import Clock
from daemon.domain.windows import StoredReference
from daemon.drift.detector_verdicts import state_of
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.detectors import DetectorLedger
from daemon.ledger.signals import Drawable, SignalLedger
from daemon.ledger.windows import WindowLedger
from daemon.scoring.protocol import VersionScorer
from learners.errors import LearnerError
from learners.types import Score
from registry.types import Version

_log = logging.getLogger(__name__)
#: Conversations of the reference that are scored, once.
_REFERENCE = 200
#: Scored at a time: the gate, which goes first, waits for them at most.
_BATCH = 8
_PAGE = 1_000  # conversations that are drawn from at a time
#: Drawn conversations that may wait; where there would be more, fewer are drawn.
_WAITING = 200
_PAUSE = timedelta(minutes=1)


class LiveLossStage:
    """Keeps the live version's loss on a uniform sample of the reference and of the stream after it, in their order.

    Which conversations are drawn depends on the keyed hashes of their ids alone. It works while the scorer has nothing
    else to do; where it falls behind, it draws a smaller share of all that waits, and says so. Of the reference only what no version has
    learned is drawn: what it knows by heart it predicts better than what is to come. A batch that can't be scored is passed
    over.
    """

    name = "live_loss"

    def __init__(
        self,
        windows: WindowLedger,
        conversations: ConversationLedger,
        detectors: DetectorLedger,
        signals: SignalLedger,
        loaded: VersionScorer,
        *,
        live: Callable[[], Version | None],
        busy: Callable[[], bool],
        share: float,
        clock: Clock,
    ) -> None:
        """``busy``: whether something else needs the scorer, or its processor; ``share``: of the conversations, 0 to 1."""
        self._windows = windows
        self._conversations = conversations
        self._detectors = detectors
        self._signals = signals
        self._loaded = loaded
        self._live = live
        self._busy = busy
        self._share = share
        self._clock = clock
        self._watched: int | None = None  # the reference's id
        self._known: deque[int] = deque()  # conversations of the reference that wait
        self._seq = 0  # the newest conversation of the stream that was drawn from
        self._until, self._drawn = 0, share  # up to where it draws what share
        self._batch: _Batch | None = None
        self._again_at: datetime | None = None

    def step(self) -> None:
        """Keep the scores that are there, or begin the next batch."""
        if self._batch is not None:
            if self._batch.scores.done():
                batch, self._batch = self._batch, None
                self._keep(batch)
        elif self._may_score():
            self._begin()

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of: what is not scored yet is drawn again."""

    def _may_score(self) -> bool:
        waits = self._again_at is not None and self._clock() < self._again_at
        return self._share > 0 and not waits and self._loaded.ready and not self._busy()

    def _begin(self) -> None:
        reference, live = self._windows.reference(), self._live()
        if reference is None or live is None or reference.version != str(live.name):
            return  # it follows the log soon
        if reference.id != self._watched and not self._turn_to(reference):
            return
        conversations = self._conversations.by_seq(self._next())
        if conversations:
            self._batch = _Batch(version=str(live.name), scores=self._loaded.score(live, conversations))

    def _turn_to(self, reference: StoredReference) -> bool:
        """Go on with a reference where the ledger says; false while the detector has not begun with it."""
        stored = self._detectors.stored(reference.id)
        if reference.range is None or stored is None:
            return False
        drawn = self._signals.drawn(reference.version, reference.range)
        sample = sorted(self._signals.unlearned(reference.range), key=_chance)[:_REFERENCE]
        self._known = deque(sorted(one.seq for one in sample if one.seq not in drawn))
        self._seq = max(self._signals.last_drawn(reference.version), state_of(stored.state).begins)
        self._until = 0
        self._watched = reference.id
        return True

    def _next(self) -> list[int]:
        """Draw the conversations to score now: the reference's first, as what is bet on is ranked among them."""
        if self._known:
            return [self._known.popleft() for _ in range(min(_BATCH, len(self._known)))]
        if self._seq >= self._until:
            self._plan()
        page = [one for one in self._signals.after(self._seq, _PAGE) if one.seq <= self._until]
        drawn = [one.seq for one in page if _chance(one) < self._drawn][:_BATCH]
        if page:
            self._seq = drawn[-1] if len(drawn) == _BATCH else page[-1].seq
        return drawn

    def _plan(self) -> None:
        """Settle what share to draw of all that has come."""
        self._until = self._conversations.last_seq()
        waiting = (self._until - self._seq) * self._share
        self._drawn = self._share * min(1.0, _WAITING / waiting) if waiting else self._share
        if waiting > _WAITING:
            _log.warning(
                "about %d conversations wait to be scored under the live version: %d of them are drawn", waiting, _WAITING,
                extra={"action": "score"},
            )  # fmt: skip

    def _keep(self, batch: "_Batch") -> None:
        try:
            scores = batch.scores.result()
        except LearnerError as error:
            self._again_at = self._clock() + _PAUSE
            _log.warning(
                "conversations could not be scored under %s and are passed over: %s", batch.version, error,
                extra={"action": "score"},
            )  # fmt: skip
            return
        found = {int(score.id): (score.nll, score.tokens) for score in scores if math.isfinite(score.nll)}
        if found:
            self._signals.add_losses(batch.version, found)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """Conversations that are being scored."""

    version: str
    scores: Future[list[Score]]


def _chance(one: Drawable) -> float:
    """Return a number between 0 and 1 that is a conversation's own, and has nothing to do with any other draw."""
    return int.from_bytes(hashlib.sha256(f"loss\0{one.hash}".encode()).digest()[:8]) / 2**64
