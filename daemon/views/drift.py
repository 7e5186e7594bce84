"""What is known about drift: the detector's evidence, its alarms, and what changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.config.settings import Settings
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.situation import Situation, situation_of
from daemon.domain.windows import Freeze, StoredReference
from daemon.drift.detector_state import state_from_json
from daemon.ledger.detectors import RaisedAlarm
from daemon.ledger.provenance import ProvenanceLedger
from daemon.ledger.reports import ReportEntry
from daemon.ledger.situation import situation_facts
from daemon.ledger.stores import Stores
from daemon.ledger.windows import JudgedWindow
from daemon.views.explanation import explanation_of
from monitors.sequential.pending_alarm import LOOKS
from monitors.types import Aspect, Explanation

_ALARMS_SHOWN, _TRIAGES_SHOWN = 10, 3
_ALARMS_READ = 1_000  # a change that lasts raises one in each window


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """The state of the sequential detector."""

    seen: int  # conversations
    until_seq: int  # the newest of them
    evidence: Mapping[Aspect, float]  # how many times as likely as without a change
    mean: float  # over the aspects; an alarm depends on it
    threshold: float  # of the mean, for an alarm


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftView:
    """Everything that ``retuned drift show`` shows."""

    reference: StoredReference | None
    watch: Watch | None  # None: the reference is not full yet, or nothing came since
    alarm: Alarm | None  # that no training has answered
    triages: tuple[Triage, ...]  # whether the latest confirmed changes hurt, newest first
    raised: tuple[RaisedAlarm, ...]  # the first of each change, newest first, those that were dropped too
    explained: JudgedWindow | None  # the latest window with an explanation
    explanation: Explanation | None
    report: ReportEntry | None  # on that window, for people
    recurrence: str | None  # which earlier reference fits that window again, if one does
    freeze: Freeze | None  # of the reference
    cycle_days: float  # that the reference comes to span
    situation: Situation  # what is going on, in one statement


def drift_view(stores: Stores, settings: Settings) -> DriftView:
    """Read the drift view."""
    reference = stores.windows.reference()
    facts = situation_facts(stores, settings)
    explained = next(iter(stores.windows.judged(limit=1, drift_only=True)), None)
    return DriftView(
        reference=reference,
        watch=None if reference is None else watch_on(stores, reference, settings),
        alarm=facts.alarm,
        triages=tuple(stores.triages.newest(_TRIAGES_SHOWN)),
        raised=tuple(stores.detectors.changes(_ALARMS_READ)[:_ALARMS_SHOWN]),
        explained=explained,
        explanation=explanation_of(explained) if explained else None,
        report=next(
            (r for r in stores.reports.newest_first() if explained and r.window == explained.window.number),
            None,
        ),
        recurrence=None
        if explained is None
        else ProvenanceLedger(stores.engine).recurrence_reason(explained.window.number - LOOKS),
        freeze=stores.references.frozen(),
        cycle_days=settings.windows.reference_days,
        situation=situation_of(facts),
    )


def watch_on(stores: Stores, reference: StoredReference, settings: Settings) -> Watch | None:
    """Return the state of a reference's detector; None before it has seen anything."""
    stored = stores.detectors.stored(reference.id)
    if stored is None:
        return None
    state = state_from_json(stored.state)
    return Watch(
        seen=state.count,
        until_seq=stored.seq,
        evidence={aspect: one.wealth for aspect, one in state.wealths.items()},
        mean=state.wealth,
        threshold=settings.monitors.conversations_between_false_alarms,
    )
