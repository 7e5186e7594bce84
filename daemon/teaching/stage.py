"""Asks the teacher, a few calls at a time beside the loop."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import random
from typing import TypeAlias

from daemon.config.sections.teacher import TeacherSection
from daemon.domain.backoff import Backoff
from daemon.domain.clock import Clock, Interval
from daemon.domain.teaching import Reply, TeacherCall, TeacherOutcome, TeacherPurpose
from daemon.ledger.teacher import TeacherLedger
from daemon.teaching.budget import TeacherBudget
from daemon.teaching.health import TeacherHealth
from daemon.teaching.judge import VERDICTS
from daemon.teaching.question import ChatMessages, Question, question_digest
from daemon.teaching.spending import Spending
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
#: Between two choices of prompts, and between two looks at what is left of the budget.
_CHOOSE_EVERY, _SHOW_EVERY = timedelta(seconds=30), timedelta(seconds=10)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
#: How long a judge's question waits for its turn. The gate waits no longer.
_JUDGE_WAITS = timedelta(minutes=2)
#: Of the time that closing may take, for calls that are about to end: an answer that is not stored is paid twice.
_CLOSE_S = 2.0

Ask: TypeAlias = Callable[[ChatMessages, int], Reply]
Choose: TypeAlias = Callable[[], Sequence[Question]]


class TeacherStage:
    """Keeps a few calls going within the budget, and stores what comes of them.

    Each call is in the ledger before it begins, so that a kill loses no count: the calls in flight, ``concurrency`` at most,
    are paid again. While the endpoint fails, all calls wait with backoff, as long as it asks for.
    """

    name = "teaching"

    def __init__(
        self,
        ledger: TeacherLedger,
        teacher: TeacherSection,
        *,
        ask: Ask,
        choose: Choose,
        redact: Callable[[str], str],
        executor: Executor,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``ask`` and ``choose`` run in ``executor``; ``redact`` removes personal data from a text."""
        self._ledger = ledger
        self._teacher = teacher
        self._ask = ask
        self._choose = choose
        self._redact = redact
        self._executor = executor
        self._metrics = metrics.teacher
        self._clock = clock
        self._spending = Spending(ledger, TeacherBudget.of(teacher))
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S, jitter=random)
        self._health = TeacherHealth()
        self._pairs: deque[Question] = deque()  # that the gate waits for
        self._prompts: deque[Question] = deque()
        self._choosing: Future[Sequence[Question]] | None = None
        self._choose_interval, self._show_interval = Interval(_CHOOSE_EVERY), Interval(_SHOW_EVERY)
        self._calls: list[_Call] = []

    def step(self) -> None:
        """Store what has come, begin calls that may begin, and look for more prompts."""
        now = self._clock()
        self._store(now)
        self._give_up_late(now)
        if self._backoff.ready(now.timestamp()):
            while len(self._calls) < self._teacher.concurrency and self._begin_next(now):
                pass
            self._look_for_prompts(now)
        self._show(now)

    def close(self, timeout_s: float) -> None:
        """Store answers that come within a moment. Whoever waits for a verdict gets none."""
        wait([call.reply for call in self._calls], min(timeout_s, _CLOSE_S))
        try:
            self._store(self._clock())
        finally:
            waiting = [*self._pairs, *(call.question for call in self._calls)]
            self._pairs.clear()
            for question in waiting:
                _answer(question, None)
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._metrics.silent()

    def ask_judge(self, messages: ChatMessages) -> "Future[str | None]":
        """Ask for a verdict; the future has its letter, or None where there is none within the budget and in time."""
        promised: Future[str | None] = Future()
        digest = question_digest(messages)
        known = self._ledger.answer(digest)
        before = self._ledger.asked([digest], model=self._model).get(digest)
        if known is not None or (before is not None and before.refused):
            promised.set_result(known)
            return promised
        self._pairs.append(
            Question(
                purpose=TeacherPurpose.JUDGE,
                digest=digest,
                messages=messages,
                max_tokens=self._teacher.max_tokens,
                promised=promised,
                until=self._clock() + _JUDGE_WAITS,
            )
        )
        return promised

    @property
    def _model(self) -> str:
        return self._teacher.model or ""

    def _begin_next(self, now: datetime) -> bool:
        """Begin the next call, a pair of answers first; return whether one began."""
        waiting = self._pairs or self._prompts
        if not waiting:
            return False
        question = waiting[0]
        if not self._spending.allows(question, now):
            self._prompts.clear()
            while self._pairs:
                _answer(self._pairs.popleft(), None)
            return False
        call = TeacherCall(
            purpose=question.purpose, model=self._model, digest=question.digest, seq=question.seq
        )
        most = self._spending.budget.most(question.messages, question.max_tokens)
        number = self._ledger.begin(call, most=most, now=now)
        waiting.popleft()
        sent = [{**message, "content": self._redact(message["content"])} for message in question.messages]
        reply = self._executor.submit(self._ask, sent, question.max_tokens)
        self._calls.append(_Call(number=number, question=question, reply=reply, at=now))
        return True

    def _store(self, now: datetime) -> None:
        """Store the calls that have ended."""
        for call in [call for call in self._calls if call.reply.done()]:
            self._finish(call, _verdict(call.question, call.reply.result()), now)
            self._calls.remove(call)

    def _finish(self, call: "_Call", reply: Reply, now: datetime) -> None:
        question = call.question
        answer = self._redact(reply.text) if reply.outcome is TeacherOutcome.ANSWERED else None
        cost = self._spending.budget.cost(reply, question.messages, question.max_tokens)
        self._ledger.finish(call.number, reply, answer=answer, cost=cost)
        self._count(question, reply, cost)
        self._health.note(reply, call.at)
        if not reply.outcome.passing:
            self._backoff.reset()
        else:
            self._backoff.fail(now.timestamp(), at_least_s=reply.retry_after_s or 0.0)
            if question.promised is not None:
                self._pairs.append(question)
                return
        _answer(question, answer)

    def _count(self, question: Question, reply: Reply, cost: float) -> None:
        self._metrics.calls(question.purpose, reply.outcome).inc()
        self._metrics.tokens("input").inc(reply.input_tokens or 0)
        self._metrics.tokens("output").inc(reply.output_tokens or 0)
        self._metrics.cost.inc(cost)
        of = "" if question.seq is None else f" for conversation {question.seq}"
        how = reply.outcome.value + (f": {reply.reason}" if reply.reason else "")
        _log.debug("teacher, %s%s: %s", question.purpose.value, of, how, extra={"action": "teach"})

    def _give_up_late(self, now: datetime) -> None:
        """Answer those who have waited for a verdict for too long."""
        late = [question for question in self._pairs if question.until is not None and question.until <= now]
        for question in late:
            self._pairs.remove(question)
            _answer(question, None)

    def _look_for_prompts(self, now: datetime) -> None:
        """Have prompts chosen once all that were chosen before are answered, so that none is asked twice."""
        if self._choosing is not None:
            if self._choosing.done():
                chosen, self._choosing = self._choosing, None
                self._prompts.extend(chosen.result())
            return
        idle = not self._calls and not self._prompts
        if self._teacher.answers and idle and self._choose_interval.is_due(now):
            self._choose_interval.start(now)
            self._choosing = self._executor.submit(self._choose)

    def _show(self, now: datetime) -> None:
        if not self._show_interval.is_due(now):
            return
        self._show_interval.start(now)
        spent, budget = self._spending.today(now), self._spending.budget
        self._metrics.left(budget.calls_left(spent), budget.money_left(spent))
        since = self._health.failing_since
        self._metrics.failing_since(None if since is None else since.timestamp())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Call:
    """A call that goes on."""

    number: int  # in the ledger
    question: Question
    reply: "Future[Reply]"
    at: datetime


def _answer(question: Question, answer: str | None) -> None:
    if question.promised is not None and not question.promised.done():
        question.promised.set_result(answer)


def _verdict(question: Question, reply: Reply) -> Reply:
    """Return the reply; of a judge, one that is no single letter is no verdict."""
    judged = question.purpose is TeacherPurpose.JUDGE and reply.outcome is TeacherOutcome.ANSWERED
    if not judged or reply.text in VERDICTS:
        return reply
    reason = (
        "the verdict is neither A, B nor C; a model that follows instructions is needed: see teacher.model"
    )
    return replace(reply, outcome=TeacherOutcome.NO_VERDICT, reason=reason, text="")
