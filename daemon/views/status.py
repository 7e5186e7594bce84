"""The status of a model line, from the ledger and the registry alone."""

from dataclasses import dataclass, field
from datetime import datetime

from daemon.config.settings import Settings
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.decisions import Decision
from daemon.domain.situation import Situation, situation_of
from daemon.domain.windows import Freeze
from daemon.ledger.counts import IntakeCounts, LedgerCounts, RunSummary, WindowCounts
from daemon.ledger.decisions import ManualTrainRequest
from daemon.ledger.lease import lease_of
from daemon.ledger.situation import gate_is_open, situation_facts
from daemon.ledger.stores import Stores
from daemon.ledger.user_shares import UserShares, read_user_shares
from daemon.ledger.windows import JudgedWindow
from daemon.training.new_lessons import NewLessons, count_new_lessons
from daemon.views.orders import OrdersInForce, orders_in_force
from daemon.views.teacher import TeacherView, teacher_view
from registry.line_logs import read_outline
from registry.names import VersionName
from registry.restrictions import BarCause
from registry.types import GateReport, Promotion

_WINDOWS_SHOWN = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """The newest version, if it was never live, and the gate's answers so far."""

    name: VersionName
    report: GateReport | None  # the last one; None: the gate has not answered yet
    looks: int
    #: The gate has not answered yet, or was undecided and has looks left.
    open: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Leader:
    """The replica that decides, trains and promotes, or did so last."""

    host: str
    pid: int
    fence: int  # fencing token


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusView:
    """The status of a model line."""

    model_line: str
    at: datetime
    live: Promotion | None  # the entry by which the live version took over; None before the first start
    leader: Leader | None  # None: no replica leads
    intake: IntakeCounts
    windows: WindowCounts
    judged: tuple[JudgedWindow, ...]  # the last ones, newest first
    alarm: Alarm | None  # drift that nothing has answered; `situation` says what that means
    triage: Triage | None  # the last one
    wish: ManualTrainRequest | None  # an operator's request that no decision has answered
    decision: Decision | None  # the last one
    run: RunSummary | None  # the newest one, whether it goes on or has ended
    candidate: Candidate | None
    situation: Situation  # what is going on, in one statement
    cycle_days: float = 0.0  # that the reference comes to span
    freeze: Freeze | None = None  # of the reference
    orders: OrdersInForce = field(default_factory=OrdersInForce)  # of operators
    users: UserShares | None = None
    teacher: TeacherView | None = None
    lessons: NewLessons | None = None  # since the last training
    min_new_lessons: int = 0  # that a training waits for


def status_view(stores: Stores, settings: Settings, now: datetime) -> StatusView:
    """Read the status; takes a few milliseconds."""
    counts = LedgerCounts(stores.engine)
    run, newest = counts.newest_run(), _newest_never_live(stores, settings)
    outline = read_outline(stores.versions, settings.model_line)
    facts = situation_facts(stores, settings)
    orders = orders_in_force(stores.versions, outline, candidate=newest, run=run)
    return StatusView(
        model_line=settings.model_line,
        at=now,
        live=stores.versions.newest_promotion(settings.model_line),
        leader=_leader(stores),
        intake=counts.intake(),
        windows=counts.windows(),
        judged=tuple(stores.windows.judged(limit=_WINDOWS_SHOWN)),
        alarm=facts.alarm,
        triage=next(iter(stores.triages.newest(1)), None),
        wish=stores.decisions.open_request(),
        decision=next(iter(stores.decisions.recent(1)), None),
        run=run,
        candidate=_candidate(stores, newest, orders, settings),
        situation=situation_of(facts),
        cycle_days=settings.windows.reference_days,
        freeze=stores.references.frozen(),
        orders=orders,
        users=read_user_shares(stores.engine),
        teacher=teacher_view(stores, settings, now),
        lessons=count_new_lessons(stores.conversations, settings, since=stores.runs.learned_until() + 1),
        min_new_lessons=settings.policy.min_new_lessons,
    )


def _leader(stores: Stores) -> Leader | None:
    held = lease_of(stores.engine)
    if held is None or held.holder is None:
        return None
    return Leader(host=held.holder.host, pid=held.holder.pid, fence=held.fence)


def _newest_never_live(stores: Stores, settings: Settings) -> VersionName | None:
    """Return the newest version, if it is not the base and was never live."""
    number = stores.versions.next_number(settings.model_line) - 1
    name = VersionName(settings.model_line, number) if number > 0 else None
    return None if name is None or stores.versions.promotions_of(name) else name


def _candidate(
    stores: Stores, name: VersionName | None, orders: OrdersInForce, settings: Settings
) -> Candidate | None:
    """Return the candidate and the gate's answers; None for a version that an operator rejected."""
    bar = orders.bar
    if name is None or (bar is not None and bar.version == name and bar.cause is not BarCause.ROLLED_BACK):
        return None
    reports = stores.versions.gate_reports(name)
    last = reports[-1] if reports else None
    return Candidate(name=name, report=last, looks=len(reports), open=gate_is_open(last, settings))
