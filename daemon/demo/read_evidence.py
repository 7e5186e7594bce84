"""Reads from ledger and registry what the daemon did."""

from collections.abc import Iterable

from daemon.config.settings import Settings
from daemon.demo.evidence import DecisionFact, LoopFacts, PromotionFact, StreamFact, TrainingFact, WindowFact
from daemon.domain.windows import SeqRange
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.stores import Stores
from daemon.ledger.windows import JudgedWindow, VerdictRow

_ALL = 1_000_000


def read_stream(stores: Stores, *, sent: int, new_ids: Iterable[str]) -> StreamFact:
    """Read the stream back from the ledger; ``new_ids`` are the conversations after the change."""
    new = frozenset(new_ids)
    conversations = stores.conversations.between(SeqRange(first=1, last=_ALL))
    judged = reversed(stores.windows.judged(limit=_ALL))
    change = next(
        (conversation for conversation in conversations if conversation.conversation_id in new), None
    )
    intake = LedgerCounts(stores.engine).intake()
    return StreamFact(
        sent=sent,
        counted=len(conversations),
        held_out=sum(conversation.held_out for conversation in conversations),
        dead_letters=sum(intake.dead_letters.values()),
        repeated=intake.repeated,
        change_at=change.seq if change else None,
        changed_at=change.at if change else None,
        windows=tuple(window_fact(window) for window in judged),
    )


def window_fact(judged: JudgedWindow) -> WindowFact:
    """Return the finding on a window, with the figures of the monitor that decided it."""
    verdict = deciding_verdict(judged)
    return WindowFact(
        number=judged.window.number,
        first=judged.window.range.first,
        last=judged.window.range.last,
        finding=judged.finding,
        score=verdict.score if verdict else None,
        threshold=verdict.threshold if verdict else None,
        reason=verdict.reason if verdict else "",
        judged_at=judged.judged_at,
    )


def deciding_verdict(judged: JudgedWindow) -> VerdictRow | None:
    """Return the highest verdict, relative to its threshold, of the monitors that may raise an alarm."""
    triggering = [row for row in judged.verdicts if row.triggers and row.score is not None and row.threshold]
    return max(triggering, key=lambda row: (row.score or 0.0) / (row.threshold or 1.0), default=None)


def read_loop(stores: Stores, settings: Settings, stream: StreamFact) -> LoopFacts:
    """Read the daemon's actions back from ledger and registry."""
    line = settings.model_line
    versions = [version for version in stores.versions.versions(line) if version.run is not None]
    newest = versions[-1] if versions else None
    reports = stores.versions.gate_reports(newest.name) if newest else ()
    decisions = reversed(stores.decisions.recent(_ALL))
    return LoopFacts(
        stream=stream,
        decisions=tuple(
            DecisionFact(action=d.action, trigger=d.trigger, window=d.window, reason=d.reason)
            for d in decisions
        ),
        training=_training(stores),
        candidate=str(newest.name) if newest else None,
        gate=reports[-1] if reports else None,
        promotions=tuple(
            PromotionFact(
                kind=entry.kind,
                version=str(entry.version),
                previous=str(entry.previous) if entry.previous else None,
                by=f"{entry.by.kind} {entry.by.name}",
                at=entry.at,
                reason=entry.reason,
            )
            for entry in stores.versions.history(line).entries
        ),
    )


def _training(stores: Stores) -> TrainingFact | None:
    runs = stores.runs.recent(1)
    if not runs:
        return None
    run = runs[0]
    took = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    return TrainingFact(
        run=run.id,
        state=run.state,
        seconds=took,
        ended_at=run.ended_at,
        result=dict(run.result or {}),
        error=run.error,
    )
