"""Decides whether to train, at every occasion, and records the decision."""

import logging
from collections.abc import Callable
from datetime import datetime

from daemon.config.cron import Schedule
from daemon.config.live import LiveSettings
from daemon.domain.clock import Clock
from daemon.domain.decisions import Action, Decision
from daemon.domain.situation import Situation, SituationState, decision_reason
from daemon.ledger.decisions import ManualTrainRequest
from daemon.ledger.stores import Stores
from daemon.ledger.user_shares import read_user_shares
from daemon.telemetry.metrics import Metrics
from daemon.training.new_lessons import NewLessons, count_new_lessons
from daemon.training.policy import DecisionInputs, decide

_log = logging.getLogger(__name__)


class DecideStage:
    """Decides when a window was judged, an alarm triaged, a training requested, or a scheduled time has come.

    A "no" is a decision too: it is recorded with its reason. While an operator has paused training, decisions wait and
    say so, and a request stays open.
    """

    name = "deciding"

    def __init__(
        self,
        stores: Stores,
        settings: LiveSettings,
        *,
        train: Callable[[Decision], None],
        read_pause: Callable[[], str | None],
        read_pending_work: Callable[[], str | None],
        read_situation: Callable[[], Situation],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``train`` takes each decision to train.

        ``read_pause`` returns in words who paused training; ``read_pending_work`` names what a decision has to wait for;
        ``read_situation`` returns what is going on, for the reason of a decision.
        """
        self._stores = stores
        self._settings = settings
        self._train = train
        self._read_pause = read_pause
        self._read_pending_work = read_pending_work
        self._read_situation = read_situation
        self._metrics = metrics
        self._clock = clock
        self._schedule = _Scheduled()
        self._last_window_decided = 0

    def start(self) -> None:
        """Continue after the last window that the ledger has a decision on, and schedule from now on."""
        self._last_window_decided = self._stores.decisions.last_window_decided()
        self._schedule.plan(self._settings.current.policy.schedule, self._clock())

    def step(self) -> None:
        """Decide if there is an occasion."""
        now, policy = self._clock(), self._settings.current.policy
        pause = self._read_pause()
        request = self._stores.decisions.open_request() if pause is None else None
        window = self._new_window()
        triage = self._stores.triages.undecided()
        # A triage gets its own decision: a "no" to drift must not skip a scheduled time.
        scheduled = self._schedule.is_due(policy.schedule, now) and triage is None
        if request is None and window is None and triage is None and not scheduled:
            return
        inputs = self._inputs(now, window, request, scheduled=scheduled, pause=pause)
        decision = self._stores.decisions.decide(
            decide(inputs, policy), answers=request, triage=inputs.triage or triage
        )
        self._last_window_decided = window or self._last_window_decided
        if scheduled:
            self._schedule.plan(policy.schedule, now)
        self._report(decision)
        if decision.action is Action.TRAIN:
            self._train(decision)

    def close(self, timeout_s: float) -> None:
        """Do nothing: the stage holds no resources."""

    def _new_window(self) -> int | None:
        """Return the newest judged window, unless there is a decision on it already."""
        window = self._stores.windows.newest_judged()
        return window if window is not None and window > self._last_window_decided else None

    def _inputs(
        self,
        now: datetime,
        window: int | None,
        request: ManualTrainRequest | None,
        *,
        scheduled: bool,
        pause: str | None,
    ) -> DecisionInputs:
        learned = self._stores.runs.learned_until()
        alarm = self._stores.windows.alarm(after_seq=learned)
        situation = self._read_situation()
        since_learned = self._count(since=learned + 1)
        since_alarm = self._count(since=alarm.first_seq) if alarm else NewLessons()
        self._metrics.training.new_lessons(since_learned.learned)
        return DecisionInputs(
            now=now,
            window=window,
            alarm=alarm,
            triage=self._stores.triages.of_window(alarm.window) if alarm else None,
            new_since_alarm=since_alarm.count,
            learned_until=learned,
            new_since_learned=since_learned.count,
            besides_since_alarm=since_alarm.besides_words,
            besides_since_learned=since_learned.besides_words,
            requested=request.reason if request else None,
            requested_by=request.by if request else None,
            scheduled=scheduled,
            pause=pause,
            pending_work=self._read_pending_work(),
            last_ended=self._stores.runs.last_ended(),
            one_user=self._one_user_held_out(),
            standing=decision_reason(situation),
            tried=situation.sentence if situation.state is SituationState.UNRESOLVED else None,
        )

    def _one_user_held_out(self) -> str | None:
        shares = read_user_shares(self._stores.engine)
        return (
            f"{shares.problem}; {shares.remedy}" if shares.problem is not None and shares.held_out else None
        )

    def _count(self, *, since: int) -> NewLessons:
        return count_new_lessons(self._stores.conversations, self._settings.current, since=since)

    def _report(self, decision: Decision) -> None:
        self._metrics.drift.decided(decision)
        _log.info("%s: %s", decision.action, decision.reason, extra={"action": "decide"})


class _Scheduled:
    """The next time of a schedule. A schedule that changes counts from the moment at which the change is noticed."""

    def __init__(self) -> None:
        self._schedule: str | None = None
        self._next: datetime | None = None

    def plan(self, schedule: str | None, now: datetime) -> None:
        """Wait for the first time after ``now``."""
        self._schedule = schedule
        self._next = Schedule(schedule).next_after(now) if schedule else None

    def is_due(self, schedule: str | None, now: datetime) -> bool:
        """Return whether the time has come."""
        if schedule != self._schedule:
            self.plan(schedule, now)
        return self._next is not None and now >= self._next
