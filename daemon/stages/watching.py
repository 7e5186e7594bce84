"""Shows every conversation to the sequential detector, in the order of the ledger, and what becomes known of it later."""

import logging
from collections.abc import Callable
from dataclasses import replace

from daemon.clock import Clock
from daemon.detection import in_words, state_json, state_of
from daemon.facts import StoredConversation, StoredReference
from daemon.hearing import Hearing
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm, StoredDetector
from daemon.ledger.windows import WindowLedger
from daemon.metrics import Metrics
from daemon.samples import sample_of, samples_of
from monitors.edetector import DetectorState, EDetector
from monitors.types import Sample

_log = logging.getLogger(__name__)
#: Conversations a step: about a twentieth of a second.
_PAGE = 100
#: From so many unseen ones on an even sample of them is looked at: an alarm that comes late helps nobody.
_FAR_BEHIND = 2_000

#: Makes the detector of a reference, which goes on from a state.
NewDetector = Callable[[tuple[Sample, ...], DetectorState, dict[int, Sample]], EDetector]


class WatchingStage:
    """Raises an alarm when the stream is no longer like the reference.

    The detector's state is in the ledger after every step, so a new process, or another leader, goes on exactly. An alarm
    is raised with a conversation: what is heard of earlier ones, in windows that are judged already, waits for the next.
    """

    name = "watching"

    def __init__(
        self,
        windows: WindowLedger,
        conversations: ConversationLedger,
        ledger: DetectorLedger,
        hearing: Hearing,
        *,
        new_detector: NewDetector,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._windows = windows
        self._conversations = conversations
        self._ledger = ledger
        self._hearing = hearing
        self._new_detector = new_detector
        self._metrics = metrics.drift
        self._clock = clock
        self._watched: tuple[int, EDetector] | None = None  # the reference's id
        self._seq = 0

    def step(self) -> None:
        """Look at a page of conversations, after what became known of earlier ones."""
        reference = self._windows.reference()
        if reference is None or reference.range is None:
            return
        detector = self._detector(reference)
        heard = self._hearing.tell(detector, reference, seen=self._seq)
        talks = self._next()
        if not talks and not heard:
            return
        for talk in talks:
            alarmed = detector.alarmed  # by what was heard
            detector.see(talk.seq, sample_of(talk))
            self._seq = talk.seq
            if alarmed or detector.alarmed:
                self._raise(reference.id, detector)
                break
        else:
            self._ledger.keep(self._stored(reference.id, detector))
        for aspect, stake in detector.state.stakes.items():
            self._metrics.evidence(aspect).set(stake.wealth)

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of."""

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
        leading = state.leading
        since = state.stakes[leading].since if leading is not None else None
        raised = RaisedAlarm(
            seq=self._seq,
            since_seq=self._seq if since is None else since,
            evidence={str(aspect): stake.wealth for aspect, stake in state.stakes.items()},
            at=self._clock(),
        )
        detector.restart()
        self._ledger.raise_alarm(self._stored(reference_id, detector), raised)
        if leading is not None:
            self._metrics.alarms(leading).inc()
            _log.warning(
                "alarm at conversation %s: the stream changed at about %s, mostly in %s",
                raised.seq, raised.since_seq, in_words(leading), extra={"action": "alarm"},
            )  # fmt: skip

    def _detector(self, reference: StoredReference) -> EDetector:
        if self._watched is not None and self._watched[0] == reference.id:
            return self._watched[1]
        stored = self._ledger.stored(reference.id)
        state = DetectorState() if stored is None else state_of(stored.state)
        self._seq = self._windows.watched_from(reference) if stored is None else stored.seq
        if not state.begins:  # new, or of a release that heard of nothing
            state = replace(state, begins=self._seq)
        recent = {talk.seq: sample_of(talk) for talk in self._conversations.by_seq(state.keys)}
        samples = samples_of(self._conversations.of_reference(reference))
        detector = self._new_detector(samples, state, recent)
        self._watched = (reference.id, detector)
        if stored is None:
            self._ledger.keep(self._stored(reference.id, detector))
        return detector

    def _stored(self, reference_id: int, detector: EDetector) -> StoredDetector:
        return StoredDetector(
            reference_id=reference_id, seq=self._seq, state=state_json(detector.state), at=self._clock()
        )
