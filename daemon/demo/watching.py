"""Watches the daemon until something has happened, or can no longer happen."""

import time
from collections.abc import Callable, Mapping

from daemon.config.settings import Settings
from daemon.demo.children import DaemonProcess
from daemon.demo.errors import OutOfTime
from daemon.demo.events import Kind
from daemon.demo.picture import Picture
from daemon.demo.player import Player
from daemon.demo.rollback import pointer
from daemon.demo.timeline import Seen, observe
from daemon.demo.view import View
from daemon.domain.clock import utc_now
from daemon.domain.conversation import Conversation
from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.http.probe import probe
from daemon.ledger.stores import Stores
from daemon.views.status import Candidate, StatusView, status_view
from registry.types import GateVerdict, PromotionKind

_EVERY_S = 0.5


class Watch:
    """Polls the daemon's state twice a second, reports what is new and shows the current state."""

    def __init__(
        self,
        stores: Stores,
        settings: Settings,
        view: View,
        *,
        texts: Mapping[str, Conversation],
        before_change: int,
        total: int,
        change: str = "the topic changes",
        predicted_s: float | None = None,
    ) -> None:
        """``texts`` gives examples by their ids; it may grow. ``change`` says in words what happens after ``before_change``;
        ``predicted_s`` is how long the demo should take.
        """
        self._stores = stores
        self._settings = settings
        self._view = view
        self._texts = texts
        self._before_change = before_change
        self._total = total
        self._change = change
        self._predicted_s = predicted_s
        self._change_told = False
        self._seen = Seen()

    def look(self, player: Player, note: str | None = None) -> StatusView:
        """Read the state once and show it; ``note`` says what goes on besides."""
        now = status_view(self._stores, self._settings, utc_now())
        if not self._change_told and now.intake.conversations > self._before_change:
            self._change_told = True
            self._view.tell(
                f"{self._change} at conversation {self._before_change + 1}; nobody tells the daemon",
                Kind.WORK,
            )
        self._seen, events = observe(self._seen, now, self._texts)
        for event in events:
            self._view.event(event)
        self._view.picture(
            Picture(
                phase=phase(now),
                elapsed_s=self._view.elapsed_s,
                sent=player.sent,
                total=self._total,
                lag=probe(self._settings.http).lag,
                overview=now,
                windows=self._seen.windows,
                note=note,
                predicted_s=self._predicted_s,
            )
        )
        return now

    def until_counted(
        self,
        player: Player,
        daemon: DaemonProcess,
        *,
        count: int,
        deadline: float,
        note: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Watch until so many conversations are counted and ``note``, which says what else goes on, says nothing.

        Raises OutOfTime, ReplayFailed, DaemonEnded.
        """
        while True:
            player.check()
            daemon.check()
            waiting = note()
            now = self.look(player, waiting)
            if waiting is None and now.intake.conversations + now.intake.repeated >= count:
                return
            if time.monotonic() > deadline:
                raise OutOfTime(f"{now.intake.conversations} of {count} conversations were counted in time")
            time.sleep(_EVERY_S)

    def until_judged(
        self, player: Player, daemon: DaemonProcess, *, after: str, deadline: float
    ) -> Candidate | None:
        """Watch until the gate has reported on a version newer than ``after``; return it, or None where none will come.

        Raises OutOfTime, ReplayFailed, DaemonEnded.
        """
        while True:
            player.check()
            daemon.check()
            now = self.look(player)
            if (candidate := judged_since(now, after)) is not None:
                return candidate
            if no_candidate_comes(now, after):
                return None
            if time.monotonic() > deadline:
                raise OutOfTime(f"the gate decided on no version in time; when it ran out: {phase(now)}")
            time.sleep(_EVERY_S)

    def until_promoted(self, player: Player, daemon: DaemonProcess, *, deadline: float) -> str | None:
        """Watch until everything is consumed and live.json names a promoted version; return why it can't, or None on success.

        ``deadline`` is on the monotonic clock. Raises OutOfTime, ReplayFailed, DaemonEnded.
        """
        while True:
            player.check()
            daemon.check()
            now = self.look(player)
            used_up = now.intake.conversations + now.intake.repeated >= self._total
            if used_up and self._serves_promoted(now):
                return None
            if (why := dead_end(now, used_up=used_up)) is not None:
                return why
            if time.monotonic() > deadline:
                raise OutOfTime(f"no version was promoted in time; when it ran out: {phase(now)}")
            time.sleep(_EVERY_S)

    def _serves_promoted(self, now: StatusView) -> bool:
        """Return whether a version was promoted and live.json, which follows the log a moment later, names it."""
        live = now.live
        if live is None or live.kind is not PromotionKind.PROMOTION:
            return False
        return pointer(self._settings) == str(live.version)


def judged_since(now: StatusView, version: str) -> Candidate | None:
    """Return a candidate newer than ``version`` that the gate has reported on."""
    candidate = now.candidate
    if candidate is None or candidate.report is None or str(candidate.name) == version:
        return None
    return candidate


def no_candidate_comes(now: StatusView, version: str) -> bool:
    """Return whether nothing newer than ``version`` will be at the gate: it is live already, or its training failed."""
    promoted = now.live is not None and str(now.live.version) != version
    failed = now.run is not None and now.run.state in {RunState.FAILED, RunState.CANCELLED}
    return promoted or failed


def phase(now: StatusView) -> str:
    """Return what the daemon is doing."""
    if now.run is not None and now.run.state is RunState.RUNNING:
        return "training on the new conversations"
    if now.candidate is not None and now.candidate.open:
        return f"scoring {now.candidate.name} and the live version on held-out conversations"
    if now.live is not None and now.live.kind is PromotionKind.PROMOTION:
        return f"{now.live.version} is live"
    if _triage_pending(now):
        return "drift was found; triaging the change"
    if now.alarm is not None:
        return "drift was found; collecting new conversations to learn from"
    if now.windows.reference is None or now.windows.reference.range is None:
        return "collecting the reference"
    return "watching for drift"


def dead_end(now: StatusView, *, used_up: bool) -> str | None:
    """Return why no promotion can follow, or None; ``used_up``: every conversation was consumed."""
    if now.run is not None and now.run.state in {RunState.FAILED, RunState.CANCELLED}:
        return f"the training {now.run.state}: {now.run.error}"
    if now.candidate is not None and now.candidate.report is not None:
        report = now.candidate.report
        hopeless = not now.candidate.open and report.verdict is not GateVerdict.PROMOTE
        if hopeless or (used_up and report.verdict is GateVerdict.INCONCLUSIVE):
            return f"the gate did not let {now.candidate.name} pass: {report.reason}"
    if used_up and now.run is None and not _triage_pending(now) and _decided_on_everything(now):
        return f"the conversations are used up: {now.decision.reason if now.decision else 'no decision'}"
    return None


def _triage_pending(now: StatusView) -> bool:
    """Return whether the triage of the current alarm is pending."""
    if now.alarm is None or not now.alarm.confirmed:
        return False
    return now.triage is None or now.triage.window != now.alarm.window or now.triage.decision_id is None


def _decided_on_everything(now: StatusView) -> bool:
    """Return whether a decision on the last window, or on its triage, exists and is not to train."""
    if now.windows.waiting or not now.judged or now.decision is None:
        return False
    last_window = now.decision.window == now.judged[0].window.number
    answered = None if now.triage is None else now.triage.decision_id
    since_triage = (
        answered is not None and (now.decision.id or 0) >= answered
    )  # a training that was put off, too
    return (last_window or since_triage) and now.decision.action is not Action.TRAIN
