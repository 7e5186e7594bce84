"""Takes the newest candidate through the gate."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon.config.lesson_rules import lesson_rules
from daemon.config.live import LiveSettings
from daemon.config.settings import Settings
from daemon.domain.answer_judge import AnswerJudge
from daemon.domain.clock import Clock
from daemon.intake.privacy.redaction import Redactor
from daemon.ledger.held_out_seqs import HeldOutSeqs
from daemon.ledger.stores import Stores
from daemon.release.behaviour_guard import is_guarded
from daemon.release.gate_comparison import GateComparison, GateServices, Look
from daemon.release.held_out import HeldOut, first_new_seq
from daemon.release.register import DAEMON
from daemon.scoring.protocol import VersionScorer
from daemon.telemetry.metrics import Metrics
from learners.errors import LearnerError
from registry.line_logs import LineLogs, read_logs, restrictions_on
from registry.looks import waits_for_data, worth_another_look
from registry.names import VersionName
from registry.restrictions import BarCause, Restrictions
from registry.store import Conflict
from registry.taint import tainted
from registry.transitions import Refused, check_automatic, promote
from registry.types import GateReport, GateVerdict, Version

_log = logging.getLogger(__name__)
_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    """The newest version, never live yet, and what the gate has reported on it."""

    version: Version
    reports: tuple[GateReport, ...]
    restrictions: Restrictions

    @property
    def last_report(self) -> GateReport | None:
        return self.reports[-1] if self.reports else None


class CandidateGate:
    """Compares the newest candidate with the live version, and promotes it if it passes."""

    def __init__(
        self,
        stores: Stores,
        settings: LiveSettings,
        scorer: VersionScorer,
        *,
        judge: AnswerJudge | None,
        metrics: Metrics,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``judge`` compares answers, where one is configured."""
        self._stores = stores
        self._settings = settings
        self._model_line = settings.current.model_line
        self._seed = settings.current.learning.seed
        self._max_looks = settings.current.gate.max_looks
        self._held_out = held_out_of(stores, settings.current)
        self._scorer = scorer
        self._services = GateServices(
            scorer=scorer,
            lesson_scores=stores.lesson_scores,
            gate_answers=stores.gate_answers,
            judge=judge,
            redact=_redactor(settings.current),
            clock=monotonic,
        )
        self._metrics = metrics.release
        self._clock = clock
        self._failures = 0  # of the scorer in a row, on the candidate at the gate
        self._comparison: GateComparison | None = None
        self._explained: tuple[VersionName, str] | None = None  # a candidate, and why it waits for a person

    @property
    def comparing(self) -> bool:
        """Whether the scorer works for the gate."""
        return self._comparison is not None

    def read_pending_work(self) -> str | None:
        """Return in words which candidate is being compared or waits for data; reads the registry."""
        if self._comparison is not None:
            return f"the gate on {self._comparison.candidate.name}"
        candidate = self._candidate(read_logs(self._stores.versions, self._model_line))
        if candidate is None or candidate.restrictions.bar or not self._is_open(candidate.last_report):
            return None
        return f"the gate on {candidate.version.name}"

    def step(self, logs: LineLogs) -> None:
        """Begin the next comparison, or conclude the one whose scores have arrived."""
        if self._comparison is None:
            candidate = self._candidate(logs)
            if candidate is not None and logs.history.live is not None and self._scorer.ready:
                self._advance(candidate, logs.history.live, logs)
            return
        self._comparison.step()
        if self._comparison.done():
            comparison, self._comparison = self._comparison, None
            self._conclude(comparison)

    def _candidate(self, logs: LineLogs) -> _Candidate | None:
        """Return the newest version, if a run made it, it was never live, and no operator has rejected it.

        One that continues from a version that was rolled back is compared, so that a person can decide on it.
        """
        newest = next(iter(self._stores.versions.versions(self._model_line, newest=1)), None)
        if newest is None or newest.run is None or self._stores.versions.promotions_of(newest.name):
            return None
        restrictions = restrictions_on(self._stores.versions, newest.name, logs)
        bar = restrictions.bar
        if bar is not None and bar.version == newest.name and bar.cause is not BarCause.ROLLED_BACK:
            return None
        reports = tuple(self._stores.versions.gate_reports(newest.name))
        return _Candidate(version=newest, reports=reports, restrictions=restrictions)

    def _is_open(self, report: GateReport | None) -> bool:
        """Return whether the gate has yet to decide, and can."""
        limits = {"max_looks": self._max_looks, "limit": self._held_out.limit}
        return report is None or waits_for_data(report, **limits)

    def _advance(self, candidate: _Candidate, live: VersionName, logs: LineLogs) -> None:
        """Promote a candidate that passed, or begin the look that it is due."""
        report = candidate.last_report
        if report is not None and report.verdict is GateVerdict.PROMOTE:
            if self._may_promote(candidate, report, live):
                self._promote(candidate, report, logs)
            return
        since = first_new_seq(self._stores.runs, candidate.version)
        if report is None or (self._is_open(report) and self._is_worth_another_look(report, since)):
            self._compare(candidate, self._stores.versions.version(live), since)

    def _may_promote(self, candidate: _Candidate, report: GateReport, live: VersionName) -> bool:
        """Return whether a pass counts: automatic release, against the live version, not tainted, nothing forbids it."""
        name = candidate.version.name
        if not self._settings.current.release.automatic or report.against != live or self._is_tainted(name):
            return False
        try:
            check_automatic(name, candidate.restrictions)
        except Refused as refused:
            self._explain_waiting(name, str(refused))
            return False
        return True

    def _explain_waiting(self, name: VersionName, reason: str) -> None:
        """Log once why a candidate that passed waits for a person."""
        if self._explained != (name, reason):
            self._explained = (name, reason)
            extra = {"action": "promotion", "version": str(name)}
            _log.warning("%s passed the gate and is not promoted: %s", name, reason, extra=extra)

    def _is_tainted(self, name: VersionName) -> bool:
        """Return whether a version learned from records that were erased since; then an operator has to decide."""
        erased_runs = self._stores.erasures.runs_with_erased_records()
        return name in tainted(self._stores.versions, self._model_line, erased_runs)

    def _is_worth_another_look(self, report: GateReport, since: int) -> bool:
        sizes = self._held_out.sizes(since)
        return worth_another_look(report, sizes, max_looks=self._max_looks, limit=self._held_out.limit)

    def _compare(self, candidate: _Candidate, live: Version, since: int) -> None:
        name, section = candidate.version.name, self._settings.current.gate
        _log.info("%s is at the gate", name, extra={"action": "gate", "version": str(name)})
        look = Look(
            number=len(candidate.reports) + 1,
            candidate=candidate.version,
            live=live,
            lessons=self._held_out.slices(since),
            own_prompts=is_guarded(section.behaviour, candidate.version, self._stores.runs),
            seed=self._seed,
        )
        self._comparison = GateComparison(look, section, self._services)
        self._comparison.start()

    def _conclude(self, comparison: GateComparison) -> None:
        name = comparison.candidate.name
        try:
            report = comparison.conclude()
        except LearnerError as error:
            self._failures += 1
            if not error.permanent and self._failures < _ATTEMPTS:
                self._scorer.failed(error)
                return
            report = comparison.reject(error)
        self._failures = 0
        self._stores.versions.add_gate_report(name, report, at=self._clock())
        self._metrics.judged(report)
        extra = {"action": "gate", "version": str(name)}
        _log.info("gate on %s: %s: %s", name, report.verdict, report.reason, extra=extra)

    def _promote(self, candidate: _Candidate, report: GateReport, logs: LineLogs) -> None:
        entry = promote(
            logs.history,
            candidate.version.name,
            gate=report,
            reason=report.reason,
            by=DAEMON,
            now=self._clock(),
            restrictions=candidate.restrictions,
        )
        try:
            self._stores.versions.append(entry, expected=logs.history.position, orders=logs.orders.number)
        except Conflict as conflict:
            extra = {"action": "promotion", "version": str(entry.version)}
            _log.warning("%s stays a candidate: %s", entry.version, conflict, extra=extra)


def held_out_of(stores: Stores, settings: Settings) -> HeldOut:
    """Return the held-out lessons of a line."""
    rules = lesson_rules(settings)
    return HeldOut(
        ledger=stores.conversations,
        seqs=HeldOutSeqs(stores.engine, rules),
        rules=rules,
        limit=settings.gate.max_conversations,
        seed=settings.learning.seed,
    )


def _redactor(settings: Settings) -> Callable[[str], str]:
    """Return what removes personal data from a text, as intake does."""
    redactor = Redactor(settings.hygiene)
    return lambda text: redactor.redact(text).text
