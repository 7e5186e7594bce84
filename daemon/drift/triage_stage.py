"""Triages each confirmed alarm: does the change hurt, and would training help?"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from daemon.config.lesson_rules import lesson_rules
from daemon.config.settings import Settings
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.drift.triage_case import LiveVersion, TriageCase, read_case
from daemon.drift.user_sampling import UserSampler
from daemon.ledger.stores import Stores
from daemon.telemetry.metrics import Metrics
from learners.errors import LearnerError
from learners.types import Surprisals
from monitors.triage.comparison import Conclusion
from monitors.triage.triage import TriageResult
from monitors.types import Outcome
from registry.types import Version

_log = logging.getLogger(__name__)
_ATTEMPTS = 5
#: Conversations that the scorer gets at a time, so that a gate which comes meanwhile waits for no more than these.
_AT_ONCE = 8
#: After this time the triage concludes from what is scored by then.
_LONGEST = timedelta(minutes=10)


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
    """Triages the confirmed alarm, once, a few conversations at a time while nothing else is scored.

    Reading, comparing and concluding take up to a second each, so they run in ``executor`` while the loop goes on. A
    change that was decided to be harmless becomes the reference.
    """

    name = "triaging"

    def __init__(
        self,
        stores: Stores,
        scorer: TokenScorer,
        *,
        live: Callable[[], Version | None],
        busy: Callable[[], bool],
        settings: Settings,
        executor: Executor,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``busy``: whether a training or a gate needs the machine more. The stage shuts the executor down."""
        self._stores = stores
        self._user_sampler = UserSampler(stores.conversations)
        self._scorer = scorer
        self._live = live
        self._busy = busy
        self._windows = settings.windows
        self._rules = lesson_rules(settings)
        self._executor = executor
        self._metrics = metrics
        self._clock = clock
        self._idle_at = 0  # the newest judged window when there was no alarm to triage
        self._triage: _Triage | None = None

    def step(self) -> None:
        """Go on with the alarm under triage, or look for one."""
        self._refresh_reference()
        if self._triage is None:
            self._triage = self._next()
        elif self._triage.concluding is not None:
            self._finish(self._triage, self._triage.concluding)
        elif self._triage.reading.done():
            self._score(self._triage, self._triage.reading.result())

    def close(self, timeout_s: float) -> None:
        """Wait for the work at hand; an alarm whose triage is not recorded is triaged again."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._triage is None:
            return
        if self._triage.concluding is None:
            wait([self._triage.reading], timeout_s)
        else:
            wait([self._triage.concluding], timeout_s)

    def _refresh_reference(self) -> None:
        """Make the conversations since a change that was decided to be harmless the reference."""
        harmless, reference = self._stores.triages.harmless_change(), self._stores.references.newest()
        if harmless is None or reference is None or self._stores.references.frozen():
            return
        self._stores.references.start(
            reference.version, size=reference.size, after_seq=harmless.since_seq - 1, now=self._clock(),
            days=self._windows.reference_days,
        )  # fmt: skip
        _log.info(
            "the change behind the alarm of window %s is harmless: conversations from %s on are now the reference of %s",
            harmless.window, harmless.since_seq, reference.version,
            extra={"action": "reference", "version": reference.version},
        )  # fmt: skip

    def _next(self) -> "_Triage | None":
        judged = self._stores.windows.newest_judged() or 0
        if judged == self._idle_at or self._busy():
            return None
        alarm, reference, live = self._alarm(), self._stores.windows.reference(), self._live()
        # An alarm that needs no confirmation waits for the next window too: before, there is too little to compare.
        too_early = alarm is None or alarm.window >= judged
        if alarm is None or too_early or reference is None or reference.range is None or live is None:
            self._idle_at = judged
            return None
        _log.info("triaging the alarm of window %s", alarm.window, extra={"action": "triage"})
        known = LiveVersion.of(live, self._stores.runs.learned_until(), self._rules)
        return _Triage(
            alarm=alarm,
            reference_id=reference.id,
            live=live,
            until=self._clock() + _LONGEST,
            reading=self._executor.submit(
                read_case, self._stores, self._user_sampler, alarm, reference, known
            ),
        )

    def _alarm(self) -> Alarm | None:
        """Return the confirmed alarm that has no triage yet."""
        alarm = self._stores.windows.alarm(after_seq=self._stores.runs.learned_until())
        if alarm is None or not alarm.confirmed or self._stores.triages.of_window(alarm.window) is not None:
            return None
        return alarm

    def _score(self, triage: "_Triage", case: TriageCase) -> None:
        """Have the next conversations scored; conclude once all are, or time is up."""
        if self._clock() >= triage.until:
            self._conclude(triage, case)
        elif triage.scoring is not None:
            self._take(triage, case, triage.scoring)
        elif not case.waiting:
            self._conclude(triage, case)
        elif self._scorer.ready and not self._busy():
            triage.scoring = self._scorer.surprisals(triage.live, case.next(_AT_ONCE))

    def _take(self, triage: "_Triage", case: TriageCase, scoring: "Future[list[Surprisals]]") -> None:
        if not scoring.done():
            return
        triage.scoring = None
        try:
            case.take(scoring.result())
            triage.failures = 0
        except LearnerError as error:
            triage.failures += 1
            if error.permanent or triage.failures == _ATTEMPTS:
                reason = f"nothing tells whether it hurts, as {triage.live.name} can't be scored: {error}"
                result = TriageResult(outcome=Outcome.UNCLEAR, reason=reason)
                self._record(triage, Conclusion(result=result, numbers={}))
            else:
                self._scorer.failed(error)

    def _conclude(self, triage: "_Triage", case: TriageCase) -> None:
        triage.concluding = self._executor.submit(case.conclude)

    def _finish(self, triage: "_Triage", concluding: "Future[Conclusion]") -> None:
        if concluding.done():
            self._record(triage, concluding.result())

    def _record(self, triage: "_Triage", conclusion: Conclusion) -> None:
        self._triage = None
        if (alarm := self._alarm()) is None or alarm.window != triage.alarm.window:
            return  # it was answered meanwhile
        times = self._stores.triages.count_answered(triage.reference_id)
        again = f"; answered {times} times before, and it is still there" if times else ""
        result = conclusion.result
        self._stores.triages.record(
            Triage(
                window=alarm.window,
                reference_id=triage.reference_id,
                since_seq=alarm.first_seq,
                version=str(triage.live.name),
                outcome=result.outcome,
                reason=f"{result.reason}{again}",
                numbers=conclusion.numbers,
                examples=conclusion.examples,
                at=self._clock(),
            )
        )
        self._metrics.drift.triages(result.outcome).inc()
        _log.info("%s: %s", result.outcome, result.reason, extra={"action": "triage"})


@dataclass(kw_only=True, slots=True)
class _Triage:
    """An alarm under triage."""

    alarm: Alarm
    reference_id: int
    live: Version
    until: datetime
    reading: "Future[TriageCase]"
    scoring: "Future[list[Surprisals]] | None" = None
    concluding: "Future[Conclusion] | None" = None
    failures: int = 0  # of the scorer in a row
