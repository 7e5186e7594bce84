"""Tells the sequential detector what became known of conversations after it has seen them."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import takewhile

from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.domain.windows import StoredReference
from daemon.drift.samples import sample_of
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.signals import LateSignal, SignalLedger
from monitors.sequential.conformal_bets import LATE_ASPECTS, Signal
from monitors.sequential.edetector import EDetector
from monitors.sequential.late_signals import loss_signal, opinion_signal, spoken_signal
from monitors.types import Aspect

#: Signals of an aspect that are told at a time.
_PAGE = 100


class LateSignalFeed:
    """Reads opinions and losses in the order in which the ledger got them, each once, and who said nothing in time.

    Those of the reference are ranked among whenever they come; on conversations of the stream is bet. Counted are opinions
    on answers of the reference's version, or of one that nobody named, silence about them, and losses of that version.
    """

    def __init__(
        self, signals: SignalLedger, conversations: ConversationLedger, *, wait: timedelta, clock: Clock
    ) -> None:
        """``wait``: how long users have to say what they think of a conversation."""
        self._signals = signals
        self._conversations = conversations
        self._wait = wait
        self._clock = clock

    def feed(self, detector: EDetector, reference: StoredReference, *, seen: int) -> bool:
        """Tell a page of each aspect, and nothing more from an alarm on; return whether there was something to tell.

        ``seen`` is the newest conversation that the detector has seen: what is known of later ones waits for them.
        """
        told = False
        for aspect in LATE_ASPECTS:
            after = detector.late_until(aspect)
            if after is None:
                continue
            found = list(takewhile(lambda one: one.seq <= seen, self._next(aspect, reference, after)))
            conversations = {
                conversation.seq: conversation
                for conversation in self._conversations.by_seq([one.seq for one in found])
            }
            for one in found:
                if detector.alarmed:
                    break
                conversation = conversations.get(one.seq)  # gone, if it was forgotten meanwhile
                signal = (
                    None
                    if conversation is None
                    else _signal(aspect, one, conversation, reference, detector.begins)
                )
                detector.observe_late(aspect, one.number, signal)
                told = True
        return told

    def _next(self, aspect: Aspect, reference: StoredReference, after: int) -> Iterable[LateSignal]:
        if aspect is Aspect.QUALITY:
            return self._signals.opinions(after=after, limit=_PAGE)
        if aspect is Aspect.FEEDBACK_RATE:
            begins = reference.range.first - 1 if reference.range else 0  # earlier conversations say nothing
            return self._signals.spoken(
                after=max(after, begins), limit=_PAGE, now=self._clock(), wait=self._wait
            )
        return self._signals.losses(reference.version, after=after, limit=_PAGE)


def _signal(
    aspect: Aspect,
    found: LateSignal,
    conversation: StoredConversation,
    reference: StoredReference,
    begins: int,
) -> Signal | None:
    """Return what the detector hears; None where it is not about the reference or the stream after it."""
    fresh = conversation.seq > begins
    known = reference.range is not None and reference.range.first <= conversation.seq <= reference.range.last
    if found.value is None or not (fresh or known):
        return None
    if aspect is Aspect.CONCEPT:
        own = conversation.version == reference.version
        return loss_signal(conversation.seq, sample_of(conversation), found.value, own=own, fresh=fresh)
    if conversation.version not in (None, reference.version):
        return None
    if aspect is Aspect.FEEDBACK_RATE:
        return spoken_signal(conversation.seq, sample_of(conversation), spoke=bool(found.value), fresh=fresh)
    rated = found.kind == "rating"
    return opinion_signal(
        conversation.seq, sample_of(conversation), found.value, rated=rated, fresh=fresh, delay=found.delay
    )
