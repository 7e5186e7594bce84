"""Feeds the stream to the sequential detector and raises its alarms."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.domain.windows import StoredReference
from daemon.drift.aspect_words import describe_aspect
from daemon.drift.detector_state import state_from_json, state_to_json
from daemon.drift.late_signals import LateSignalFeed
from daemon.drift.samples import embedded_text, sample_of
from daemon.drift.user_sampling import UserSample, UserSampler
from daemon.ledger.detectors import RaisedAlarm, StoredDetector
from daemon.ledger.stores import Stores
from daemon.telemetry.metrics import Metrics
from monitors.sequential.detector_state import DetectorState
from monitors.sequential.edetector import EDetector
from monitors.types import Sample

_log = logging.getLogger(__name__)
#: Conversations that one step feeds.
_PAGE = 100
#: Where more conversations than this are unseen, the detector sees an even sample of them, so that alarms come in time.
_FAR_BEHIND = 2_000

#: Makes a detector from the counted conversations of a reference, the block length in which one conversation of a user
#: counts, the state to continue from, and the conversations that the state refers to, by seq.
NewDetector = Callable[[tuple[Sample, ...], int, DetectorState, dict[int, Sample]], EDetector]


class VectorSource(Protocol):
    """Makes vectors without making the loop wait; see ``daemon.drift.embeddings.Embeddings`` for the promises."""

    @property
    def answers(self) -> bool: ...

    def of(self, texts: Mapping[int, str]) -> Mapping[int, bytes] | None: ...

    def close(self, timeout_s: float) -> None: ...


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a detector is built from, while its vectors are being made."""

    reference_id: int
    state: DetectorState
    past: UserSample  # the reference
    recent: list[StoredConversation]  # those that the state refers to


@dataclass(frozen=True, slots=True)
class _Running:
    """A detector in use."""

    reference_id: int
    detector: EDetector
    blind: bool  # built without vectors, as the embedder did not answer


class DetectStage:
    """Raises an alarm when the stream is no longer like the reference.

    Each step stores the detector's state in the ledger, so another process or leader continues exactly. An alarm
    belongs to a conversation: where late signals raise it, it is recorded with the next conversation, as earlier windows
    may be judged already. With an embedding model, the detector sees conversations once they have vectors.
    """

    name = "watching"

    def __init__(
        self,
        stores: Stores,
        late_signals: LateSignalFeed,
        *,
        new_detector: NewDetector,
        metrics: Metrics,
        clock: Clock,
        vectors: VectorSource | None = None,
    ) -> None:
        self._windows = stores.windows
        self._conversations = stores.conversations
        self._user_sampler = UserSampler(stores.conversations)
        self._ledger = stores.detectors
        self._late_signals = late_signals
        self._new_detector = new_detector
        self._metrics = metrics.drift
        self._clock = clock
        self._vectors = vectors
        self._opening: _Opening | None = None
        self._running: _Running | None = None
        self._page: list[StoredConversation] = []  # waits for its vectors
        self._seq = 0  # the newest conversation that the detector has seen

    def step(self) -> None:
        """Feed the late signals on earlier conversations, then a page of conversations."""
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
            alarmed_late = detector.alarmed  # by late signals
            detector.observe(conversation.seq, sample_of(conversation, vectors.get(conversation.seq)))
            self._seq = conversation.seq
            if alarmed_late or detector.alarmed:
                self._raise(reference.id, detector)
                break
        else:
            self._ledger.store(self._stored(reference.id, detector))
        for aspect, wealth in detector.state.wealths.items():
            self._metrics.evidence(aspect).set(wealth.wealth)
        self._metrics.mean_evidence.set(detector.state.wealth)

    def close(self, timeout_s: float) -> None:
        """End the embedder."""
        if self._vectors is not None:
            self._vectors.close(timeout_s)

    def _ready(self) -> tuple[list[StoredConversation], Mapping[int, bytes]]:
        """Return the next conversations with their vectors; none while the vectors are being made."""
        self._page = self._page or self._next()
        vectors = self._vectors_of(self._page)
        if vectors is None:
            return [], {}
        ready, self._page = self._page, []
        return ready, vectors

    def _next(self) -> list[StoredConversation]:
        """Return the next conversations; an even sample where there are too many."""
        last = self._conversations.last_seq()
        if last - self._seq <= _FAR_BEHIND:
            return self._conversations.after(self._seq, _PAGE)
        _log.warning(
            "detection is %s conversations behind: the detector sees an even sample of them",
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
        if first and leading is not None:  # a change that persists raises further alarms; report the first
            self._metrics.alarms(leading).inc()
            _log.warning(
                "alarm at conversation %s: the stream changed at about %s, mostly in %s",
                raised.seq, raised.since_seq, describe_aspect(leading), extra={"action": "alarm"},
            )  # fmt: skip

    def _detector(self, reference: StoredReference) -> EDetector | None:
        """Return the detector of a reference; None while the vectors that it is built from are being made."""
        running = self._running
        if running is None or running.reference_id != reference.id or self._can_get_vectors(running):
            running = self._running = self._build(reference)
        return None if running is None else running.detector

    def _build(self, reference: StoredReference) -> _Running | None:
        """Build the detector of a reference; None while the vectors that it is built from are being made."""
        if self._opening is None or self._opening.reference_id != reference.id:
            self._opening = self._open(reference)
        opening, self._page = self._opening, []
        vectors = self._vectors_of([*opening.past.conversations, *opening.recent])
        if vectors is None:
            return None

        def seen(conversation: StoredConversation) -> Sample:
            return sample_of(conversation, vectors.get(conversation.seq))

        detector = self._new_detector(
            tuple(map(seen, opening.past.conversations)),
            opening.past.block,
            opening.state,
            {conversation.seq: seen(conversation) for conversation in opening.recent},
        )
        self._opening = None
        self._ledger.store(self._stored(reference.id, detector))
        return _Running(reference.id, detector, blind=self._vectors is not None and not vectors)

    def _open(self, reference: StoredReference) -> _Opening:
        stored = self._ledger.stored(reference.id)
        state = DetectorState() if stored is None else state_from_json(stored.state)
        self._seq = self._windows.detector_start(reference) if stored is None else stored.seq
        if not state.begins:  # new, or of a release without late signals
            state = replace(state, begins=self._seq)
        past = self._user_sampler.of_reference(reference)
        return _Opening(reference.id, state, past, self._conversations.by_seq(state.keys))

    def _can_get_vectors(self, running: _Running) -> bool:
        """Whether a detector that was built without vectors can now be built again with them."""
        return running.blind and self._vectors is not None and self._vectors.answers

    def _vectors_of(self, conversations: Sequence[StoredConversation]) -> Mapping[int, bytes] | None:
        """Return the vectors by seq; empty without an embedder that answers, None while they are being made."""
        if self._vectors is None or not conversations:
            return {}
        return self._vectors.of(
            {conversation.seq: embedded_text(sample_of(conversation)) for conversation in conversations}
        )

    def _stored(self, reference_id: int, detector: EDetector) -> StoredDetector:
        return StoredDetector(
            reference_id=reference_id, seq=self._seq, state=state_to_json(detector.state), at=self._clock()
        )
