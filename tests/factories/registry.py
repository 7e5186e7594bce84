"""Versions, promotions and gate reports for tests, with sensible values for whatever a test does not care about."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from registry.history import History
from registry.names import VersionName
from registry.transitions import bootstrap, promote, roll_back
from registry.types import (
    Actor,
    GateReport,
    GateVerdict,
    Lineage,
    OffsetRange,
    Promotion,
    SliceReport,
    Version,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
LINE = "support-bot"
OPERATOR = Actor(kind="operator", name="张伟")
DAEMON = Actor(kind="daemon", name="retuned")


def v(number: int, line: str = LINE) -> VersionName:
    return VersionName(line, number)


def a_lineage(*, parent: int | None = None) -> Lineage:
    return Lineage(
        base="SmolLM2-135M-Instruct",
        base_digest="b" * 64,
        parent=None if parent is None else v(parent),
        method="lora",
        settings={"rank": 16, "dropout": 0.0, "target_modules": "all-linear", "备注": ["退款", None, True]},
        seed=7,
        packages={"torch": "2.13.0"},
        sources=(OffsetRange(topic="conversations", partition=0, first=0, last=99),),
        conversations=100,
        data_digest="d" * 64,
    )


def a_version(number: int = 0, *, line: str = LINE) -> Version:
    """Version 0 is the bare base."""
    return Version(
        name=v(number, line),
        run=f"run-{number}" if number else None,
        artifact=f"file:///artifacts/{line}-v{number}" if number else None,
        digest=f"{number:064x}",
        size_bytes=number * 1000,
        lineage=a_lineage(parent=number - 1 if number > 1 else None),
        created_at=NOW + timedelta(minutes=number),
    )


def a_report(verdict: GateVerdict = GateVerdict.PROMOTE, *, look: int = 1) -> GateReport:
    found = SliceReport(
        name="new conversations",
        role="target",
        conversations=120,
        clusters=90,
        live_loss=2.391,
        candidate_loss=1.849,
        difference=-0.542,
        lower=-0.6,
        upper=-0.5,
        verdict=verdict,
        needed=40 if verdict is GateVerdict.INCONCLUSIVE else 0,
        reason="better 更好",
    )
    return GateReport(
        verdict=verdict, reason="new conversations: better", alpha=0.05, look=look, slices=(found,)
    )


def grown(history: History, entry: Promotion) -> History:
    """The history with one more entry."""
    return History(model_line=history.model_line, entries=(*history.entries, entry))


def a_history(*steps: str, line: str = LINE) -> History:
    """A history made by steps such as ``"0"`` (bootstrap), ``"3"`` (promote), ``"back"``, ``"back 0"``."""
    history = History(model_line=line)
    for step in steps:
        history = grown(history, a_step(history, step))
    return history


def a_step(history: History, step: str) -> Promotion:
    """The entry that a step such as ``"3"``, ``"back"`` or ``"back 0"`` leads to."""
    now = NOW + timedelta(minutes=history.position)
    word, _, number = step.partition(" ")
    if word == "back":
        to = v(int(number), history.model_line) if number else None
        return roll_back(history, to=to, reason="退款政策错了", by=OPERATOR, now=now)
    version = v(int(word), history.model_line)
    if history.live is None:
        return bootstrap(history, version, reason="the base model", by=DAEMON, now=now)
    return promote(
        history, version=version, gate=a_report(), force=False, reason="better", by=DAEMON, now=now
    )


def an_artifact(folder: Path, files: Mapping[str, bytes] | None = None) -> tuple[Path, str]:
    """An artifact folder as a learner leaves it, and its digest."""
    files = files or {"adapter_model.safetensors": b"weights" * 100, "adapter_config.json": b"{}"}
    folder.mkdir(parents=True)
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in files.items()
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = json.dumps({"format": 1, "files": listed}).encode()
    (folder / "manifest.json").write_bytes(manifest)
    return folder, hashlib.sha256(manifest).hexdigest()
