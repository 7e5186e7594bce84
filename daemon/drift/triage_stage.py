"""Looks into each confirmed alarm: whether the change hurts, and whether training would help."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from daemon.domain.alarms import Alarm, Triage
from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.domain.windows import SeqRange, StoredReference
from daemon.drift.triage_evidence import TriageEvidenceBuilder, TriageSamples, numbers_of
from daemon.drift.user_sampling import UserSampler
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.signals import SignalLedger
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import WindowLedger
from daemon.telemetry.metrics import Metrics
from learners.errors import LearnerError
from learners.types import Surprisals
from monitors.triage.triage import TriageResult, triage
from monitors.types import Outcome
from registry.types import Version

_log = logging.getLogger(__name__)
_ATTEMPTS = 5
#: Conversations that the scorer gets at a time, so that a gate which comes meanwhile waits for no more than these.
_AT_ONCE = 8
#: Then what is known by then has to do: an alarm that waits helps nobody.
_LONGEST = timedelta(minutes=10)
#: Conversations of either side that are looked at, the newest: reading and comparing them takes half a second at most.
_NEW, _REFERENCE = 500, 1_000


class TokenScorer(Protocol):
    """Tells how surprising each token is to a version, beside the loop."""

    @property
    def ready(self) -> bool:
        """Whether it can score now."""
        ...

    def surprisals(
        self, version: Version, conversations: Sequence[StoredConversation]
    ) -> Future[list[Surprisals]]:
        """Score conversations, named by their seq. The future raises LearnerError where scoring failed."""
        ...

    def failed(self, error: Exception) -> None:
        """Take note that scoring failed."""
        ...


class TriageStage:
    """Looks into the alarm that stands confirmed, once, a few conversations at a time while nothing else is scored.

    Where it turns out harmless, and that was decided, the conversations since the change become the reference.
    """

    name = "triaging"

    def __init__(
        self,
        windows: WindowLedger,
        conversations: ConversationLedger,
        signals: SignalLedger,
        references: ReferenceLedger,
        triages: TriageLedger,
        loaded: TokenScorer,
        *,
        live: Callable[[], Version | None],
        learned_until: Callable[[], int],
        busy: Callable[[], bool],
        reference_days: float,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``busy``: whether a training or a gate needs the machine more."""
        self._windows = windows
        self._conversations = conversations
        self._user_sampler = UserSampler(conversations)
        self._signals = signals
        self._references = references
        self._triages = triages
        self._loaded = loaded
        self._live = live
        self._learned_until = learned_until
        self._busy = busy
        self._reference_days = reference_days
        self._metrics = metrics
        self._clock = clock
        self._looked_at = 0  # the newest judged window when no alarm was there to look into
        self._case: _Case | None = None

    def step(self) -> None:
        """Go on with the alarm that is looked into, or look for one."""
        self._refresh_reference()
        if self._case is None:
            self._case = self._next_case()
        elif self._clock() >= self._case.until:
            self._conclude(self._case)
        elif self._case.pending is not None:
            self._take(self._case, self._case.pending)
        elif not self._case.evidence_builder.next(1):
            self._conclude(self._case)
        elif self._loaded.ready and not self._busy():
            self._ask(self._case)

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of; what was not written is looked into again."""

    def _refresh_reference(self) -> None:
        """Have windows compared with the conversations since a change that was decided to be harmless."""
        found, reference = self._triages.harmless(), self._references.newest()
        if found is None or reference is None or self._references.frozen():
            return
        self._references.start(
            reference.version, size=reference.size, after_seq=found.since_seq - 1, now=self._clock(),
            days=self._reference_days,
        )  # fmt: skip
        _log.info(
            "the change of window %s's alarm is harmless: conversations from %s on are the reference of %s now",
            found.window, found.since_seq, reference.version, extra={"action": "reference"},
        )  # fmt: skip

    def _next_case(self) -> "_Case | None":
        judged = self._windows.newest_judged() or 0
        if judged == self._looked_at or self._busy():
            return None
        alarm, reference, live = self._alarm(), self._windows.reference(), self._live()
        # One that stands by itself waits for the next window, too: before, there is too little to look at.
        if (
            alarm is None
            or alarm.window >= judged
            or reference is None
            or reference.range is None
            or live is None
        ):
            self._looked_at = judged
            return None
        _log.info(
            "the alarm of window %s is looked into: does the change hurt?",
            alarm.window,
            extra={"action": "triage"},
        )
        return self._open(alarm, reference, live)

    def _alarm(self) -> Alarm | None:
        """Return the alarm that is to be looked into."""
        alarm = self._windows.alarm(after_seq=self._learned_until())
        if alarm is None or not alarm.confirmed or self._triages.of(alarm.window) is not None:
            return None
        return alarm

    def _open(self, alarm: Alarm, reference: StoredReference, live: Version) -> "_Case":
        since = SeqRange(first=alarm.first_seq, last=self._conversations.last_seq())
        counted = self._user_sampler.of_reference(reference)
        known = counted.conversations[-_REFERENCE:]
        new = self._user_sampler.within(_end(since, _NEW), counted.block).conversations
        sides = TriageSamples(
            new=new,
            reference=known,
            opinions=self._signals.opinions_on(conversation.seq for conversation in (*new, *known)),
            version=str(live.name),
            learned_until=0 if live.run is None else self._learned_until(),
        )
        return _Case(
            alarm=alarm,
            reference_id=reference.id,
            live=live,
            evidence_builder=TriageEvidenceBuilder(sides, leading=alarm.leading, seed=alarm.window),
            until=self._clock() + _LONGEST,
        )

    def _ask(self, case: "_Case") -> None:
        case.pending = self._loaded.surprisals(case.live, case.evidence_builder.next(_AT_ONCE))

    def _take(self, case: "_Case", pending: "Future[list[Surprisals]]") -> None:
        if not pending.done():
            return
        case.pending = None
        try:
            case.evidence_builder.take(pending.result())
            case.failures = 0
        except LearnerError as error:
            case.failures += 1
            if error.permanent or case.failures == _ATTEMPTS:
                reason = f"nothing tells whether it hurts, as {case.live.name} can't be scored: {error}"
                self._write(case, TriageResult(outcome=Outcome.UNCLEAR, reason=reason), {})
            else:
                self._loaded.failed(error)

    def _conclude(self, case: "_Case") -> None:
        answers = case.evidence_builder.answers()
        evidence = case.evidence_builder.evidence(answers)
        found = triage(evidence)
        no_use = found.outcome is Outcome.CANT_HELP
        examples = case.evidence_builder.examples(evidence, answers) if no_use else ()
        self._write(case, found, numbers_of(evidence), examples=examples)

    def _write(
        self,
        case: "_Case",
        found: TriageResult,
        numbers: Mapping[str, float],
        *,
        examples: tuple[str, ...] = (),
    ) -> None:
        self._case = None
        if (alarm := self._alarm()) is None or alarm.window != case.alarm.window:
            return  # it was answered meanwhile
        times = self._triages.answered(case.reference_id)
        again = f"; answered {times} times before, and it is still there" if times else ""
        self._triages.record(
            Triage(
                window=alarm.window,
                reference_id=case.reference_id,
                since_seq=alarm.first_seq,
                version=str(case.live.name),
                outcome=found.outcome,
                reason=f"{found.reason}{again}",
                numbers=numbers,
                examples=examples,
                at=self._clock(),
            )
        )
        self._metrics.drift.triages(found.outcome).inc()
        _log.info("%s: %s", found.outcome, found.reason, extra={"action": "triage"})


@dataclass(kw_only=True, slots=True)
class _Case:
    """An alarm that is looked into."""

    alarm: Alarm
    reference_id: int
    live: Version
    evidence_builder: TriageEvidenceBuilder
    until: datetime
    pending: "Future[list[Surprisals]] | None" = None  # what the scorer is at
    failures: int = 0  # of the scorer in a row


def _end(span: SeqRange, most: int) -> SeqRange:
    return SeqRange(first=max(span.first, span.last - most + 1), last=span.last)
