"""Compares a candidate with the live version on held-out lessons, and on what both write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.config.settings import GateSection
from daemon.domain.answer_judge import AnswerJudge
from daemon.ledger.gate_answers import GateAnswerLedger
from daemon.ledger.lesson_scores import LessonScoreLedger
from daemon.release.answering import Answering, AnswerPlan, plan_answers
from daemon.release.answers.agreement import replies_to_claims
from daemon.release.from_settings import gate_settings
from daemon.release.gate_slices import lesson_slices, score_figures
from daemon.release.held_out import OLD
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.release.lesson_scoring import LessonScoring, VersionScores
from daemon.scoring.protocol import VersionScorer
from learners.errors import LearnerError
from registry.gate import judge
from registry.names import VersionName
from registry.types import GateReport, GateVerdict, Version

#: Fewest seconds in which both versions may answer, where ``gate.answer_seconds`` is unset and scoring took less.
_LEAST_ANSWER_S = 10.0
_NOTHING_OLD = "what the version could forget was not compared: there is no held-out conversation with a good answer from before"


@dataclass(frozen=True, kw_only=True, slots=True)
class GateServices:
    """What comparisons work with."""

    scorer: VersionScorer
    lesson_scores: LessonScoreLedger
    gate_answers: GateAnswerLedger
    judge: AnswerJudge | None  # of pairs of answers; None: no one judges them
    redact: Callable[[str], str]  # removes personal data from what versions write
    clock: Callable[[], float]  # monotonic, in seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look of the gate at one candidate."""

    number: int  # from 1
    candidate: Version
    live: Version
    lessons: Mapping[str, Sequence[HeldOutLesson]]  # by slice
    own_prompts: bool  # whether the versions also answer prompts of our own
    seed: int  # of the draw of prompts


class GateComparison:
    """One look of the gate: both versions are scored, then they answer. The scorer works while the loop goes on."""

    def __init__(self, look: Look, gate: GateSection, services: GateServices) -> None:
        self._look = look
        self._gate = gate
        self._services = services
        self._scoring = LessonScoring(
            (look.live, look.candidate),
            [one for members in look.lessons.values() for one in members],
            replies=replies_to_claims() if look.own_prompts else (),
            scores=services.lesson_scores,
            scorer=services.scorer,
        )
        self._began = 0.0
        self._scores: Mapping[VersionName, VersionScores] | None = None
        self._answering: Answering | None = None
        self._error: LearnerError | None = None

    @property
    def candidate(self) -> Version:
        return self._look.candidate

    def start(self) -> None:
        """Ask the scorer for the scores that the ledger does not have."""
        self._began = self._services.clock()
        self._scoring.start()

    def step(self) -> None:
        """Go on with what has arrived."""
        try:
            if self._scores is None:
                if not self._scoring.done():
                    return
                self._scores = self._scoring.finish()
                self._answering = self._begin_answers()
            if self._answering is not None:
                self._answering.step()
        except LearnerError as error:
            self._error = error

    def done(self) -> bool:
        """Return whether all scores and answers have arrived, or scoring or answering has failed."""
        if self._error is not None:
            return True
        return self._scores is not None and (self._answering is None or self._answering.done)

    def conclude(self) -> GateReport:
        """Judge, and keep what was written. Raises LearnerError where scoring or answering failed."""
        if self._error is not None:
            raise self._error
        if self._scores is None:
            raise RuntimeError("the comparison is not done")
        look, answering = self._look, self._answering
        live, candidate = self._scores[look.live.name], self._scores[look.candidate.name]
        figures = score_figures(look.lessons, live, candidate)
        report = judge(
            lesson_slices(look.lessons, live, candidate),
            gate_settings(self._gate),
            look=look.number,
            against=look.live.name,
            checks=answering.checks() if answering is not None else (),
            figures=[*figures, *answering.figures()] if answering is not None else figures,
        )
        if answering is not None:
            pairs = answering.pairs(self._services.redact)
            self._services.gate_answers.add(str(look.candidate.name), look.number, pairs)
        return replace(report, reason="; ".join([report.reason, *self._remarks()]))

    def reject(self, error: LearnerError) -> GateReport:
        """Reject a candidate because it, or the live version, can't be scored or can't answer at all."""
        look = self._look
        what = (
            "compared"
            if self._scores is None
            else "compared by what they write; gate.answers: 0 with gate.behaviour: never goes without"
        )
        return GateReport(
            verdict=GateVerdict.REJECT,
            reason=f"{look.candidate.name} and {look.live.name} can't be {what}: {error}",
            alpha=self._gate.alpha,
            look=look.number,
        )

    def _begin_answers(self) -> Answering | None:
        """Return what both versions are to answer; None for nothing."""
        look, gate = self._look, self._gate
        lessons, own = plan_answers(
            list(look.lessons.values()),
            count=gate.answers,
            seed=look.seed,
            with_own_prompts=look.own_prompts,
        )
        if not lessons and not own:
            return None
        took = self._services.clock() - self._began
        plan = AnswerPlan(
            lessons=lessons,
            own_prompts=own,
            max_tokens=gate.answer_tokens,
            seconds=gate.answer_seconds or max(_LEAST_ANSWER_S, took),
        )
        return Answering(
            look.live,
            look.candidate,
            plan,
            scorer=self._services.scorer,
            judge=self._services.judge,
            clock=self._services.clock,
        )

    def _remarks(self) -> list[str]:
        """Return what the comparison leaves open, in words."""
        remarks = [] if self._look.lessons.get(OLD) else [_NOTHING_OLD]
        if self._answering is not None:
            answered, asked = self._answering.progress
            if answered < asked:
                remarks.append(f"{answered} of {asked} prompts were answered in time")
        return remarks
