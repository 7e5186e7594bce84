"""Takes candidates through the gate and keeps everything in line with the promotion log."""

import logging
from collections.abc import Callable, Collection

from daemon.domain.clock import Clock
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.trainings import TrainingLedger
from daemon.release.gate_comparison import GateComparison, HeldOut
from daemon.release.register import DAEMON
from daemon.scoring.protocol import VersionScorer
from daemon.telemetry.metrics import Metrics
from learners.errors import LearnerError
from registry.errors import RegistryError
from registry.gate import GateSettings
from registry.history import History
from registry.looks import waits_for_data, worth_another_look
from registry.names import VersionName
from registry.store import Conflict, Store
from registry.taint import tainted
from registry.transitions import promote
from registry.types import GateReport, GateVerdict, Promotion, PromotionKind, Version

_log = logging.getLogger(__name__)
_ATTEMPTS = 5


class ReleaseStage:
    """Judges the newest candidate and promotes it if it passes.

    What is live is whatever the promotion log says, whoever wrote it: when the log has moved, by this stage or by
    an operator's command, the target, the reference and the metrics follow.
    """

    name = "releasing"

    def __init__(
        self,
        store: Store,
        references: ReferenceLedger,
        trainings: TrainingLedger,
        loaded: VersionScorer,
        held_out: HeldOut,
        *,
        model_line: str,
        put_live: Callable[[], bool],
        erased_runs: Callable[[], Collection[str]],
        gate: GateSettings,
        automatic: bool,
        reference_size: int,
        reference_days: float,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._references = references
        self._trainings = trainings
        self._loaded = loaded
        self._held_out = held_out
        self._model_line = model_line
        self._put_live = put_live
        self._erased_runs = erased_runs
        self._gate = gate
        self._automatic = automatic
        self._reference_size = reference_size
        self._reference_days = reference_days
        self._metrics = metrics
        self._clock = clock
        self._seen = 0  # promotion entries that were followed
        self._failures = 0  # of the scorer in a row, on the candidate at the gate
        self._trouble = ""  # why the last could not be followed, said once
        self._comparison: GateComparison | None = None

    @property
    def busy(self) -> str | None:
        """The candidate that is being judged or waits for more data, for people."""
        if self._comparison is not None:
            return f"the gate on {self._comparison.candidate.name}"
        candidate, reports = self._candidate(self._store.history(self._model_line))
        if candidate is not None and (not reports or self._waits(reports[-1])):
            return f"the gate on {candidate.name}"
        return None

    @property
    def comparing(self) -> bool:
        """Whether the scorer is at work for the gate."""
        return self._comparison is not None

    def step(self) -> None:
        """Follow the log, then go on with the candidate at the gate."""
        history = self._store.history(self._model_line)
        served = self._serve()
        if served is not None and history.position > self._seen:
            self._follow(history)
        elif served:
            _log.warning(
                "the target did not say what the log says; %s is served again",
                history.live,
                extra={"action": "serve"},
            )
        if served is not None and history.entries:
            self._keep_reference(history.entries[-1])
        self._loaded.step()
        if self._comparison is None:
            self._comparison = self._next_comparison(history)
        elif self._comparison.done():
            comparison, self._comparison = self._comparison, None
            self._conclude(comparison)

    def _waits(self, report: GateReport) -> bool:
        return waits_for_data(report, max_looks=self._gate.max_looks, limit=self._held_out.limit)

    def close(self, timeout_s: float) -> None:
        """End the scorer."""
        self._loaded.close(timeout_s)

    def _serve(self) -> bool | None:
        """Have the target say what the log says; return whether it said something else.

        At every step, as a target knows no fencing number: a leader that was overtaken may write it once more. None
        where the artifact can't be had now; the target stays then, and it is tried again.
        """
        try:
            switched = self._put_live()
        except (OSError, RegistryError) as error:
            if str(error) != self._trouble:
                _log.error("the target stays as it is: %s", error, extra={"action": "serve"})
            self._trouble = str(error)
            return None
        self._trouble = ""
        return switched

    def _follow(self, history: History) -> None:
        """Note what the log says and the target does."""
        last, started = history.entries[-1], self._seen == 0
        for entry in history.entries[self._seen :]:
            if not started:
                self._metrics.release.promoted(entry)
        self._seen = history.position
        self._metrics.release.live_is(last.version)
        self._metrics.release.versions.set(self._store.next_number(self._model_line))
        _log.info(
            "%s is live: %s",
            last.version,
            last.reason,
            extra={"action": last.kind.value, "version": str(last.version)},
        )

    def _keep_reference(self, entry: Promotion) -> None:
        """See to it that windows are compared with what the live version is known to handle, unless that is frozen.

        At every step, as a freeze may have ended.
        """
        reference, version = self._references.newest(), str(entry.version)
        if reference is not None and (reference.version == version or self._references.frozen()):
            return
        now = self._clock()
        if entry.kind is PromotionKind.ROLLBACK and self._references.restore(version, now) is not None:
            return
        since = self._learned_from(self._store.version(entry.version))
        self._references.start(
            version, size=self._reference_size, after_seq=since - 1, now=now, days=self._reference_days
        )

    def _learned_from(self, version: Version) -> int:
        """Return the first conversation that was new to a version; 1 for the base."""
        run = self._trainings.run(version.run) if version.run is not None else None
        return run.since_seq if run else 1

    def _candidate(self, history: History) -> tuple[Version | None, list[GateReport]]:
        """Return the newest version, if it was never live, and what the gate has said of it so far."""
        versions = self._store.versions(self._model_line)
        newest = versions[-1] if versions else None
        if (
            newest is None
            or newest.run is None
            or any(entry.version == newest.name for entry in history.entries)
        ):
            return None, []
        return newest, list(self._store.gate_reports(newest.name))

    def _next_comparison(self, history: History) -> GateComparison | None:
        candidate, reports = self._candidate(history)
        if candidate is None or history.live is None or not self._loaded.ready:
            return None
        if reports and reports[-1].verdict is GateVerdict.PROMOTE:
            if (
                self._automatic
                and reports[-1].against == history.live
                and not self._is_tainted(candidate.name)
            ):
                self._promote(candidate, reports[-1], history)
            return None
        since = self._learned_from(candidate)
        if reports and not worth_another_look(
            reports[-1],
            self._held_out.sizes(since),
            max_looks=self._gate.max_looks,
            limit=self._held_out.limit,
        ):
            return None
        live = self._store.version(history.live)
        _log.info(
            "%s is at the gate", candidate.name, extra={"action": "gate", "version": str(candidate.name)}
        )
        return GateComparison(
            candidate,
            live,
            self._held_out.slices(since),
            look=len(reports) + 1,
            ledger=self._trainings,
            loaded=self._loaded,
        )

    def _is_tainted(self, name: VersionName) -> bool:
        """Whether it learned from what was forgotten since; then it waits for an operator's word."""
        return name in tainted(self._store.versions(self._model_line), self._erased_runs())

    def _conclude(self, comparison: GateComparison) -> None:
        name = comparison.candidate.name
        try:
            report = comparison.conclude(self._gate)
        except LearnerError as error:
            self._failures += 1
            if not error.permanent and self._failures < _ATTEMPTS:
                self._loaded.failed(error)
                return
            report = comparison.refuse(error, self._gate)
        self._failures = 0
        self._store.add_gate_report(name, report, at=self._clock())
        self._metrics.release.judged(report)
        _log.info(
            "gate on %s: %s: %s",
            name,
            report.verdict,
            report.reason,
            extra={"action": "gate", "version": str(name)},
        )

    def _promote(self, candidate: Version, report: GateReport, history: History) -> None:
        entry = promote(
            history, candidate.name, gate=report, reason=report.reason, by=DAEMON, now=self._clock()
        )
        try:
            self._store.append(entry, expected=history.position)
        except Conflict:
            _log.warning(
                "the promotion log moved meanwhile; %s stays a candidate",
                entry.version,
                extra={"action": "promotion"},
            )
