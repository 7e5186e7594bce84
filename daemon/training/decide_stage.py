"""Decides, at every occasion, whether to train, and writes the decision down."""

import logging
from collections.abc import Callable
from datetime import datetime

from daemon.config.cron import Schedule
from daemon.domain.clock import Clock
from daemon.domain.decisions import Action, Decision
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.trainings import ManualTrainRequest, TrainingLedger
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import WindowLedger
from daemon.telemetry.metrics import Metrics
from daemon.training.policy import PolicySettings, Situation, decide

_log = logging.getLogger(__name__)


class DecideStage:
    """Looks at the situation whenever a window was judged, an alarm looked into, an operator asked or a scheduled time
    has come.

    A "no" is a decision too, and is recorded with its reason.
    """

    name = "deciding"

    def __init__(
        self,
        windows: WindowLedger,
        conversations: ConversationLedger,
        trainings: TrainingLedger,
        triages: TriageLedger,
        offer: Callable[[Decision], None],
        *,
        busy: Callable[[], str | None],
        settings: PolicySettings,
        schedule: Schedule | None,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._windows = windows
        self._conversations = conversations
        self._trainings = trainings
        self._triages = triages
        self._offer = offer
        self._busy = busy
        self._settings = settings
        self._schedule = schedule
        self._metrics = metrics
        self._clock = clock
        self._decided = trainings.last_window_decided()
        self._due = schedule.next_after(clock()) if schedule else None

    def step(self) -> None:
        """Decide where there is an occasion."""
        now = self._clock()
        wish = self._trainings.open_wish()
        window = self._windows.newest_judged()
        judged = window if window is not None and window > self._decided else None
        triage = self._triages.undecided()
        # A triage is decided on by itself, so that what it says of drift does not skip a scheduled time.
        scheduled = self._due is not None and now >= self._due and triage is None
        if wish is None and judged is None and triage is None and not scheduled:
            return
        situation = self._situation(now, judged, wish, scheduled=scheduled)
        decision = self._trainings.decide(
            decide(situation, self._settings), answers=wish, triage=situation.triage or triage
        )
        self._decided = max(self._decided, judged or 0)
        if scheduled and self._schedule is not None:
            self._due = self._schedule.next_after(now)
        self._tell(decision)
        if decision.action is Action.TRAIN:
            self._offer(decision)

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of."""

    def _situation(
        self, now: datetime, window: int | None, wish: ManualTrainRequest | None, *, scheduled: bool
    ) -> Situation:
        learned = self._trainings.learned_until()
        alarm = self._windows.alarm(after_seq=learned)
        since_alarm = self._conversations.count(held_out=False, since=alarm.first_seq) if alarm else 0
        return Situation(
            now=now,
            window=window,
            alarm=alarm,
            triage=self._triages.of(alarm.window) if alarm else None,
            fresh_since_alarm=since_alarm,
            learned_until=learned,
            fresh_since_learned=self._conversations.count(held_out=False, since=learned + 1),
            wish=wish.reason if wish else None,
            wished_by=wish.by if wish else None,
            scheduled=scheduled,
            busy=self._busy(),
            last_ended=self._trainings.last_ended(),
        )

    def _tell(self, decision: Decision) -> None:
        if decision.trigger is not None:
            self._metrics.drift.decisions(decision.trigger, decision.action).inc()
        _log.info("%s: %s", decision.action, decision.reason, extra={"action": "decide"})
