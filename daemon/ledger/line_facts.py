"""Reads the facts about a model line that alerts watch and that no stage knows after a restart."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from daemon.config.settings import Settings
from daemon.domain.halts import HaltKind
from daemon.domain.runs import RunState
from daemon.ledger.database import reader
from daemon.ledger.dead_letter_ceiling import ceiling_ratio
from daemon.ledger.halts import last_cleared
from daemon.ledger.recent_rejections import latest_rejections
from daemon.ledger.situation import gate_is_open
from daemon.ledger.stores import Stores
from daemon.ledger.tables import conversations, feedback, opinions, runs
from registry.line_logs import outlined_bar, read_outline
from registry.names import VersionName
from registry.types import PromotionKind


@dataclass(frozen=True, kw_only=True, slots=True)
class LineFacts:
    """What the ledger and the registry say of a model line."""

    last_conversation: datetime | None  # when the newest one was stored
    last_feedback: datetime | None  # when the newest opinion arrived
    ceiling_ratio: (
        float  # how near the latest records are to the limits of section dead_letters; at 1 intake halts
    )
    last_run: RunState | None  # outcome of the last run that ended
    live_since: tuple[PromotionKind, datetime] | None  # and what made the version live
    gate_open_since: datetime | None  # the newest version waits for the gate since then


def read_line_facts(stores: Stores, settings: Settings) -> LineFacts:
    """Read the facts; takes a few milliseconds."""
    live = stores.versions.newest_promotion(settings.model_line)
    with reader(stores.engine).begin() as connection:
        since = last_cleared(connection, HaltKind.DEAD_LETTERS)
        limits = settings.dead_letters
        rejected = latest_rejections(connection, limit=limits.among, since=since)
        return LineFacts(
            last_conversation=_last_conversation(connection),
            last_feedback=_last_feedback(connection),
            ceiling_ratio=ceiling_ratio(rejected, limits),
            last_run=_last_run(connection),
            live_since=None if live is None else (live.kind, live.at),
            gate_open_since=_gate_open_since(stores, settings),
        )


def _last_conversation(connection: Connection) -> datetime | None:
    query = select(conversations.c.received_at).order_by(conversations.c.seq.desc()).limit(1)
    at: datetime | None = connection.scalar(query)
    return at


def _last_feedback(connection: Connection) -> datetime | None:
    """Return when the newest opinion arrived: in a feedback record, or inside a conversation."""
    newest = select(opinions.c.seq).order_by(opinions.c.number.desc()).limit(1).scalar_subquery()
    inside = select(conversations.c.received_at).where(conversations.c.seq == newest)
    times = (connection.scalar(select(func.max(feedback.c.received_at))), connection.scalar(inside))
    return max((at for at in times if at is not None), default=None)


def _last_run(connection: Connection) -> RunState | None:
    ended = runs.c.state != RunState.RUNNING
    query = select(runs.c.state).where(ended).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(1)
    state = connection.scalar(query)
    return None if state is None else RunState(state)


def _gate_open_since(stores: Stores, settings: Settings) -> datetime | None:
    """Return since when the newest version waits for the gate; None if it is decided on, was live or is barred."""
    number = stores.versions.next_number(settings.model_line) - 1
    if number < 1:
        return None
    name = VersionName(settings.model_line, number)
    if stores.versions.promotions_of(name):
        return None
    bar = outlined_bar(stores.versions, name, read_outline(stores.versions, settings.model_line))
    report = next(iter(reversed(stores.versions.gate_reports(name))), None)
    if bar is not None or not gate_is_open(report, settings):
        return None
    return stores.versions.version(name).created_at
