"""What the teacher does, from the ledger alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.config.settings import Settings
from daemon.config.urls import without_secrets
from daemon.domain.teaching import TeacherOutcome, TeacherPurpose, TeacherRecord, TeacherSpending
from daemon.ledger.stores import Stores
from daemon.teaching.budget import TeacherBudget, budget_day, next_budget
from daemon.teaching.health import FAILING_FROM


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeCount:
    """How many calls ended in one way."""

    purpose: TeacherPurpose
    outcome: TeacherOutcome
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherView:
    """The teacher, its budget of today and how its calls end."""

    at: datetime
    url: str
    model: str
    answers: bool
    judges: bool
    spent: TeacherSpending  # of the budget of today; calls that go on count with the most that they can cost
    calls_a_day: int
    money_a_day: float | None
    next_budget: datetime
    outcomes: tuple[OutcomeCount, ...]  # of the calls that are kept
    failures: int  # calls that failed since the last answer
    failing_since: datetime | None  # when the first of them began
    last_error: TeacherRecord | None  # the last of them
    problem: str | None  # what an operator should know, in a sentence without the full stop


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtView:
    """One call, with what was asked as far as it is still stored."""

    call: TeacherRecord
    conversation_id: str | None
    question: str | None  # the last thing that the user said


def teacher_view(stores: Stores, settings: Settings, now: datetime) -> TeacherView | None:
    """Read what the teacher does; None: there is none. Takes a few milliseconds."""
    teacher = settings.teacher
    if teacher.url is None or teacher.model is None:
        return None
    spent = stores.teacher.spent(*budget_day(now))
    failures, first, last = stores.teacher.failing()
    outcomes = stores.teacher.outcomes()
    failing = first is not None and failures >= FAILING_FROM
    return TeacherView(
        at=now,
        url=without_secrets(teacher.url),
        model=teacher.model,
        answers=teacher.answers,
        judges=teacher.judges,
        spent=spent,
        calls_a_day=teacher.calls_a_day,
        money_a_day=teacher.money_a_day,
        next_budget=next_budget(now),
        outcomes=tuple(
            OutcomeCount(purpose=purpose, outcome=outcome, calls=calls)
            for (purpose, outcome), calls in sorted(outcomes.items())
        ),
        failures=failures,
        failing_since=first.at if first is not None and failing else None,
        last_error=last,
        problem=_problem(TeacherBudget.of(teacher), spent, teacher.max_tokens, failures, first, last),
    )


def taught(stores: Stores, limit: int, *, failed: bool) -> list[TaughtView]:
    """Return the newest calls, newest first; ``failed``: those without an answer alone."""
    calls = stores.teacher.newest(limit, failed=failed)
    seqs = sorted({call.seq for call in calls if call.seq is not None})
    asked = {conversation.seq: conversation for conversation in stores.conversations.by_seq(seqs)}
    views = []
    for call in calls:
        conversation = None if call.seq is None else asked.get(call.seq)
        said = [] if conversation is None else [m.content for m in conversation.messages if m.role == "user"]
        views.append(
            TaughtView(
                call=call,
                conversation_id=None if conversation is None else conversation.conversation_id,
                question=said[-1] if said else None,
            )
        )
    return views


def _problem(
    budget: TeacherBudget,
    spent: TeacherSpending,
    max_tokens: int,
    failures: int,
    first: TeacherRecord | None,
    last: TeacherRecord | None,
) -> str | None:
    if first is not None and last is not None and failures >= FAILING_FROM:
        return (
            f"the teacher has not answered since {first.at:%Y-%m-%d %H:%M}Z "
            f"({failures} calls failed): {last.reason or last.outcome.value}"
        )
    if not budget.allows(spent, budget.price(0, max_tokens)):
        return "the teacher's budget of today is used up; it is asked again from 00:00 UTC"
    return None


def outcome_words(counts: Sequence[OutcomeCount], purpose: TeacherPurpose) -> str:
    """Return in words how the calls of a purpose ended; empty if there were none."""
    return ", ".join(
        f"{count.calls:,} {count.outcome.value.replace('_', ' ')}"
        for count in counts
        if count.purpose is purpose
    )
