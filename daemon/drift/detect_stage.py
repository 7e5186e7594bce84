"""Shows every conversation to the sequential detector, in the order of the ledger, and what becomes known of it later."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.domain.windows import StoredReference
from daemon.drift.detector_verdicts import in_words, state_json, state_of
from daemon.drift.late_signals import LateSignalFeed
from daemon.drift.samples import embedded_text, sample_of
from daemon.drift.user_sampling import UserSample, UserSampler
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm, StoredDetector
from daemon.ledger.windows import WindowLedger
from daemon.telemetry.metrics import Metrics
from monitors.sequential.detector_state import DetectorState
from monitors.sequential.edetector import EDetector
from monitors.types import Sample

_log = logging.getLogger(__name__)
#: Conversations a step: about a twentieth of a second.
_PAGE = 100
#: From so many unseen ones on an even sample of them is looked at: an alarm that comes late helps nobody.
_FAR_BEHIND = 2_000

#: Makes the detector of a reference's conversations that count, one of a user in so many, which goes on from a state.
NewDetector = Callable[[tuple[Sample, ...], int, DetectorState, dict[int, Sample]], EDetector]


class VectorSource(Protocol):
    """Embeds beside the loop. ``daemon.drift.embeddings.Embeddings`` says what each call promises."""

    @property
    def answers(self) -> bool: ...

    def of(self, texts: Mapping[int, str]) -> Mapping[int, bytes] | None: ...

    def close(self, timeout_s: float) -> None: ...


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a detector begins with."""

    reference_id: int
    state: DetectorState
    past: UserSample
    recent: list[StoredConversation]


@dataclass(frozen=True, slots=True)
class _Detection:
    """A detector at work."""

    reference_id: int
    detector: EDetector
    blind: bool  # without the vectors that it should have


class DetectStage:
    """Raises an alarm when the stream is no longer like the reference.

    The detector's state is in the ledger after every step, so a new process, or another leader, goes on exactly. An alarm
    is raised with a conversation: what is heard of earlier ones, in windows that are judged already, waits for the next.
    Where an embedding model is configured, conversations are shown once their vectors are there.
    """

    name = "watching"

    def __init__(
        self,
        windows: WindowLedger,
        conversations: ConversationLedger,
        ledger: DetectorLedger,
        late_signals: LateSignalFeed,
        *,
        new_detector: NewDetector,
        metrics: Metrics,
        clock: Clock,
        vectors: VectorSource | None = None,
    ) -> None:
        self._windows = windows
        self._conversations = conversations
        self._user_sampler = UserSampler(conversations)
        self._ledger = ledger
        self._late_signals = late_signals
        self._new_detector = new_detector
        self._metrics = metrics.drift
        self._clock = clock
        self._vectors = vectors
        self._opening: _Opening | None = None
        self._watch: _Detection | None = None
        self._page: list[StoredConversation] = []  # that waits for its vectors
        self._seq = 0

    def step(self) -> None:
        """Look at a page of conversations, after what became known of earlier ones."""
        reference = self._windows.reference()
        if reference is None or reference.range is None:
            return
        detector = self._detector(reference)
        if detector is None:
            return
        fed = self._late_signals.feed(detector, reference, seen=self._seq)
        conversations, vectors = self._ready()
        if not conversations and not fed:
            return
        for conversation in conversations:
            alarmed = detector.alarmed  # by what was heard
            detector.observe(conversation.seq, sample_of(conversation, vectors.get(conversation.seq)))
            self._seq = conversation.seq
            if alarmed or detector.alarmed:
                self._raise(reference.id, detector)
                break
        else:
            self._ledger.keep(self._stored(reference.id, detector))
        for aspect, wealth in detector.state.wealths.items():
            self._metrics.evidence(aspect).set(wealth.wealth)
        self._metrics.mean_evidence.set(detector.state.wealth)

    def close(self, timeout_s: float) -> None:
        """End the embedder."""
        if self._vectors is not None:
            self._vectors.close(timeout_s)

    def _ready(self) -> tuple[list[StoredConversation], Mapping[int, bytes]]:
        """Return the conversations to look at now, with their vectors; none while those are being made."""
        self._page = self._page or self._next()
        vectors = self._vectors_of(self._page)
        if vectors is None:
            return [], {}
        ready, self._page = self._page, []
        return ready, vectors

    def _next(self) -> list[StoredConversation]:
        """Return the conversations to look at now."""
        last = self._conversations.last_seq()
        if last - self._seq <= _FAR_BEHIND:
            return self._conversations.after(self._seq, _PAGE)
        _log.warning(
            "%s conversations behind: looks at an even sample of them",
            last - self._seq,
            extra={"action": "watch"},
        )
        stride = (last - self._seq) // _PAGE
        return self._conversations.by_seq(range(last, self._seq, -stride)[::-1])

    def _raise(self, reference_id: int, detector: EDetector) -> None:
        state = detector.state
        leading = state.leading_aspect
        since = detector.changed_at(leading, self._seq) if leading is not None else None
        raised = RaisedAlarm(
            seq=self._seq,
            since_seq=self._seq if since is None else since,
            evidence={str(aspect): wealth.wealth for aspect, wealth in state.wealths.items()},
            at=self._clock(),
        )
        detector.restart()
        first = self._ledger.raise_alarm(self._stored(reference_id, detector), raised)
        if first and leading is not None:  # a change that lasts raises one again and again
            self._metrics.alarms(leading).inc()
            _log.warning(
                "alarm at conversation %s: the stream changed at about %s, mostly in %s",
                raised.seq, raised.since_seq, in_words(leading), extra={"action": "alarm"},
            )  # fmt: skip

    def _detector(self, reference: StoredReference) -> EDetector | None:
        """Return the detector of a reference; None while the vectors that it begins with are being made."""
        watch = self._watch
        if watch is not None and watch.reference_id == reference.id and not self._sees_again(watch):
            return watch.detector
        if self._opening is None or self._opening.reference_id != reference.id:
            self._opening = self._open(reference)
        opening, self._watch, self._page = self._opening, None, []
        vectors = self._vectors_of([*opening.past.conversations, *opening.recent])
        if vectors is None:
            return None
        detector = self._new_detector(
            tuple(
                sample_of(conversation, vectors.get(conversation.seq))
                for conversation in opening.past.conversations
            ),
            opening.past.block,
            opening.state,
            {
                conversation.seq: sample_of(conversation, vectors.get(conversation.seq))
                for conversation in opening.recent
            },
        )
        self._opening = None
        self._watch = _Detection(reference.id, detector, blind=self._vectors is not None and not vectors)
        self._ledger.keep(self._stored(reference.id, detector))
        return detector

    def _open(self, reference: StoredReference) -> _Opening:
        stored = self._ledger.stored(reference.id)
        state = DetectorState() if stored is None else state_of(stored.state)
        self._seq = self._windows.watched_from(reference) if stored is None else stored.seq
        if not state.begins:  # new, or of a release that heard of nothing
            state = replace(state, begins=self._seq)
        past = self._user_sampler.of_reference(reference)
        return _Opening(reference.id, state, past, self._conversations.by_seq(state.keys))

    def _sees_again(self, watch: _Detection) -> bool:
        """Whether a detector that began without vectors could now begin anew with them."""
        return watch.blind and self._vectors is not None and self._vectors.answers

    def _vectors_of(self, conversations: Sequence[StoredConversation]) -> Mapping[int, bytes] | None:
        """Return the vectors by seq, as far as there are any; None while they are being made."""
        if self._vectors is None or not conversations:
            return {}
        return self._vectors.of(
            {conversation.seq: embedded_text(sample_of(conversation)) for conversation in conversations}
        )

    def _stored(self, reference_id: int, detector: EDetector) -> StoredDetector:
        return StoredDetector(
            reference_id=reference_id, seq=self._seq, state=state_json(detector.state), at=self._clock()
        )
