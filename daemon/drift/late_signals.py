"""Feeds the sequential detector the signals that arrive after their conversation: opinions, silence and losses."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import takewhile

from daemon.config.settings import MonitorsSection
from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.domain.windows import StoredReference
from daemon.drift.samples import sample_of
from daemon.ledger.signals import LateSignal
from daemon.ledger.stores import Stores
from monitors.sequential.conformal_bets import LATE_ASPECTS, Signal
from monitors.sequential.edetector import EDetector
from monitors.sequential.late_signals import loss_signal, opinion_signal, spoken_signal
from monitors.types import Aspect

#: Signals of an aspect that one call feeds.
_PAGE = 100


class LateSignalFeed:
    """Feeds each signal once, in the order in which the ledger received it.

    Signals on conversations of the reference calibrate the bets, whenever they arrive; signals on later conversations
    are bet on. These count: opinions on answers of the reference's version, or of an unnamed version; silence about such
    answers; losses of the reference's version.
    """

    def __init__(self, stores: Stores, monitors: MonitorsSection, *, clock: Clock) -> None:
        self._signals = stores.signals
        self._conversations = stores.conversations
        self._wait = timedelta(hours=monitors.feedback_wait_h)
        self._clock = clock

    def feed(self, detector: EDetector, reference: StoredReference, *, seen: int) -> bool:
        """Feed up to one page of each aspect, and nothing after an alarm. Return whether any signal was fed.

        ``seen`` is the newest conversation that the detector has seen; signals on later ones wait for it.
        """
        fed = False
        for aspect in LATE_ASPECTS:
            for signal, heard in self._unheard(detector, aspect, reference, seen=seen):
                if detector.alarmed:
                    break
                detector.observe_late(aspect, signal.number, heard)
                fed = True
        return fed

    def _unheard(
        self, detector: EDetector, aspect: Aspect, reference: StoredReference, *, seen: int
    ) -> Iterable[tuple[LateSignal, Signal | None]]:
        """Return the next stored signals of an aspect, each with the form in which the detector takes it."""
        after = detector.late_until(aspect)
        if after is None:
            return []
        stored = list(
            takewhile(lambda signal: signal.seq <= seen, self._stored_after(aspect, reference, after))
        )
        conversations = {
            conversation.seq: conversation
            for conversation in self._conversations.by_seq([signal.seq for signal in stored])
        }
        return [
            (
                signal,
                _signal(aspect, signal, conversations.get(signal.seq), reference, detector.begins),
            )
            for signal in stored
        ]

    def _stored_after(self, aspect: Aspect, reference: StoredReference, after: int) -> Iterable[LateSignal]:
        if aspect is Aspect.QUALITY:
            return self._signals.opinions(after=after, limit=_PAGE)
        if aspect is Aspect.FEEDBACK_RATE:
            # Silence about conversations before the reference is no evidence.
            before_reference = reference.range.first - 1 if reference.range else 0
            return self._signals.feedback_given(
                after=max(after, before_reference), limit=_PAGE, now=self._clock(), wait=self._wait
            )
        return self._signals.losses(reference.version, after=after, limit=_PAGE)


def _signal(
    aspect: Aspect,
    stored: LateSignal,
    conversation: StoredConversation | None,
    reference: StoredReference,
    begins: int,
) -> Signal | None:
    """Return a signal as the detector takes it.

    None where the conversation was forgotten meanwhile, or belongs neither to the reference nor to the stream after it.
    """
    if conversation is None:
        return None
    fresh = conversation.seq > begins
    in_reference = (
        reference.range is not None and reference.range.first <= conversation.seq <= reference.range.last
    )
    if stored.value is None or not (fresh or in_reference):
        return None
    if aspect is Aspect.CONCEPT:
        own = conversation.version == reference.version
        return loss_signal(conversation.seq, sample_of(conversation), stored.value, own=own, fresh=fresh)
    if conversation.version not in (None, reference.version):
        return None
    if aspect is Aspect.FEEDBACK_RATE:
        return spoken_signal(conversation.seq, sample_of(conversation), spoke=bool(stored.value), fresh=fresh)
    rated = stored.kind == "rating"
    return opinion_signal(
        conversation.seq, sample_of(conversation), stored.value, rated=rated, fresh=fresh, delay=stored.delay
    )
