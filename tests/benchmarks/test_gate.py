"""How often the gate promotes what it should, and what it should not: 100 gates on each of six candidates.

A candidate of each kind is trained, scored and asked once, on real conversations. A gate draws users and prompts from
these with replacement. So the figures hold for these candidates; ``tests/unit/registry/test_gate_calibration.py`` shows
what holds for all.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from daemon.demo.base_model import prepare_base
from daemon.release.answers.checks import Expected, failed_checks
from daemon.release.answers.token_f1 import token_f1
from daemon.release.gate_slices import harm_slices
from learners.types import Conversation
from registry.checks import CheckData
from registry.gate import GateSettings, Pair, SliceData, judge, margin_pair
from registry.types import GateReport, GateVerdict
from tests.benchmarks.figures import tell
from tests.benchmarks.gate_candidates import GOOD, SABOTAGED, HeldOut, Seen, Workshop, read_sgd
from tests.benchmarks.test_drift import SHARED

GATES = 100  # of each candidate
FIRST_LOOK, OLD_USERS, MOST = 100, 200, 400
GAIN = 0.05  # nats per token
SETTINGS = GateSettings()
_FILE = SHARED / "sgd.jsonl.gz"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A candidate beside the live version, on all held-out conversations."""

    live: Seen
    candidate: Seen
    held_out: HeldOut
    shift: float = 0.0  # added to the candidate's loss on new conversations, nats per token

    def pairs(self, conversations: Sequence[Conversation], shift: float = 0.0) -> list[Pair]:
        """A pair for each conversation; each is its own user."""
        found = []
        for one in conversations:
            live, candidate = self.live.scores[one.id], self.candidate.scores[one.id]
            nll = candidate.nll + shift * live.tokens
            found.append(
                Pair(id=one.id, group=one.id, live_nll=live.nll, candidate_nll=nll, tokens=live.tokens)
            )
        return found

    def harm_pairs(self, conversations: Sequence[Conversation]) -> tuple[list[Pair], list[Pair]]:
        """Pairs of how well answers fit their prompts, and of how they end; each conversation is its own user."""
        fitting, ends = [], []
        for one in conversations:
            live, candidate = self.live.scores[one.id], self.candidate.scores[one.id]
            margins = self.live.margins[one.id], self.candidate.margins[one.id]
            fitting.append(margin_pair(one.id, one.id, live=margins[0], candidate=margins[1]))
            ends.append(
                Pair(
                    id=one.id,
                    group=one.id,
                    live_nll=live.end_nll,
                    candidate_nll=candidate.end_nll,
                    tokens=live.ends,
                )
            )
        return fitting, ends

    def difference(self, conversations: Sequence[Conversation]) -> float:
        pairs = self.pairs(conversations)
        return sum(one.candidate_nll - one.live_nll for one in pairs) / sum(one.tokens for one in pairs)

    def outcomes(self) -> list[dict[str, tuple[bool, bool]]]:
        """Of each prompt: what failed which check."""
        found = []
        for one in self.held_out.new:
            if one.id in self.live.answers and one.id in self.candidate.answers:
                expected = Expected(prompt=one.messages[-2].content, good=one.messages[-1].content)
                live, candidate = (
                    failed_checks(seen.answers[one.id], expected) for seen in (self.live, self.candidate)
                )
                found.append(
                    {check.value: (live[check], candidate[check]) for check in live.keys() & candidate.keys()}
                )
        return found

    def f1(self, seen: Seen) -> float:
        good = {one.id: one.messages[-1].content for one in self.held_out.new}
        return sum(token_f1(answer.text, good[id_]) for id_, answer in seen.answers.items()) / len(
            seen.answers
        )


class Draw:
    """An endless stream of users, drawn from those that were scored, and of prompts."""

    def __init__(self, case: Case, seed: int) -> None:
        self._rng = random.Random(seed)
        self._new = case.pairs(case.held_out.new, case.shift)
        self._old = case.pairs(case.held_out.old)
        self._drawn = [self._rng.choice(self._new) for _ in range(MOST)]
        self._drawn_old = [self._rng.choice(self._old) for _ in range(OLD_USERS)]
        fitting, ends = case.harm_pairs([*case.held_out.new, *case.held_out.old])
        places = self._rng.choices(range(len(fitting)), k=MOST + OLD_USERS)
        self._fitting, self._ends = [fitting[place] for place in places], [ends[place] for place in places]
        outcomes = case.outcomes()
        self._checks = self._rng.choices(outcomes, k=len(outcomes))

    def report(self, users: int, look: int) -> GateReport:
        slices = [
            SliceData(name="new", role="target", pairs=_numbered(self._drawn[:users])),
            SliceData(name="old", role="protected", pairs=_numbered(self._drawn_old)),
            *harm_slices(
                _numbered(self._fitting[: users + OLD_USERS]), _numbered(self._ends[: users + OLD_USERS])
            ),
        ]
        names = sorted({name for one in self._checks for name in one})
        checks = [
            CheckData(name=name, outcomes=tuple(one[name] for one in self._checks if name in one))
            for name in names
        ]
        return judge(slices, SETTINGS, look=look, checks=checks)

    def last_report(self) -> GateReport:
        """All looks, each with as many more conversations as the last one asked for."""
        report = self.report(FIRST_LOOK, 1)
        users = FIRST_LOOK
        for look in range(2, SETTINGS.max_looks + 1):
            if report.verdict is not GateVerdict.INCONCLUSIVE:
                break
            users = min(MOST, users + report.slices[0].needed)
            report = self.report(users, look)
        return report


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Case]:
    if not _FILE.exists():
        pytest.skip("there are no conversations in ../shared/data")
    named = os.environ.get("RETUNED_TEST_BENCH_BASE")
    folder = tmp_path_factory.mktemp("candidates")
    base = (
        Path(named)
        if named
        else prepare_base(None, cache=Path(".cache"), log=folder / "log", tell=lambda _: None)
    )
    started = time.monotonic()
    workshop = Workshop(base, read_sgd(_FILE), folder)
    live = workshop.train_live()
    written = workshop.write(live)
    candidates: dict[str, Path] = {kind: workshop.train(kind, live, written) for kind in (GOOD, *SABOTAGED)}
    seen = workshop.ask({"live": live, **candidates})
    tell("training, scoring and asking", time.monotonic() - started, "s")
    return cases_of(seen, workshop.held_out)


def cases_of(seen: Mapping[str, Seen], held_out: HeldOut) -> dict[str, Case]:
    return {
        kind: Case(live=seen["live"], candidate=seen[kind], held_out=held_out) for kind in (GOOD, *SABOTAGED)
    }


@pytest.mark.timeout(1_800)
def test_a_good_candidate_is_promoted(cases: Mapping[str, Case]) -> None:
    good = cases[GOOD]
    at_gain = replace(good, shift=-GAIN - good.difference(good.held_out.new))
    _show_versions(cases)

    promoted = [_promoted(GOOD, good), _promoted(f"{GOOD}, gain {GAIN}", at_gain)]

    assert min(promoted) >= 0.9 * GATES


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("kind", SABOTAGED)
def test_a_sabotaged_candidate_is_not_promoted(cases: Mapping[str, Case], kind: str) -> None:
    assert _promoted(kind, cases[kind]) <= 0.02 * GATES


def _promoted(name: str, case: Case) -> int:
    """Run gates, and print how they end: how many promote."""
    reports = [Draw(case, seed).last_report() for seed in range(GATES)]
    verdicts = Counter(report.verdict.value for report in reports)
    causes = Counter(name for report in reports for name in _rejecting(report))
    rejected_by = ", ".join(f"{cause} {count}" for cause, count in causes.most_common())
    sys.stdout.write(f"{name}: {dict(verdicts)} of {GATES}; rejected by: {rejected_by or 'nothing'}\n")
    return verdicts[GateVerdict.PROMOTE.value]


def _rejecting(report: GateReport) -> list[str]:
    slices = [found.name for found in report.slices if found.verdict is GateVerdict.REJECT]
    return [*slices, *(check.name for check in report.checks if check.verdict is GateVerdict.REJECT)]


def _show_versions(cases: Mapping[str, Case]) -> None:
    sys.stdout.write(f"\nF1 of the live version {cases[GOOD].f1(cases[GOOD].live):.2f}\n")
    for kind, case in cases.items():
        counts: Counter[str] = Counter()
        for one in case.outcomes():
            counts.update({f"{name} {side}": failed[at] for name, failed in one.items() for at, side in enumerate(("live", "candidate"))})  # fmt: skip
        new, old = (case.difference(part) for part in (case.held_out.new, case.held_out.old))
        failed = {name: count for name, count in sorted(counts.items()) if count}
        sys.stdout.write(f"{kind}: new {new:+.3f}, old {old:+.3f} nats, F1 {case.f1(case.candidate):.2f}, failed {failed}\n")  # fmt: skip


def _numbered(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """A user drawn twice counts as two."""
    return tuple(
        Pair(
            id=f"c{number}",
            group=f"u{number}",
            live_nll=one.live_nll,
            candidate_nll=one.candidate_nll,
            tokens=one.tokens,
        )
        for number, one in enumerate(pairs)
    )
