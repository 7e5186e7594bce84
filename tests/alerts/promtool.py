"""The rules as files, and promtool's word on them."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.helpers import required_program

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
RECORDINGS = ROOT / "deploy" / "prometheus" / "rules.yaml"
REMEDY = "install it: apt-get install --no-install-recommends prometheus"


@cache
def alerts() -> Mapping[str, Mapping[str, Any]]:
    """The alerts, by name."""
    return {rule["alert"]: rule for rule in _rules(ALERTS)}


@cache
def recordings() -> Mapping[str, Mapping[str, Any]]:
    """The recording rules, by name."""
    return {rule["record"]: rule for rule in _rules(RECORDINGS)}


def promtool(*arguments: str) -> str:
    """What promtool prints; fails the test where it finds fault."""
    program = required_program("promtool", REMEDY)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def unit_test(folder: Path, groups: Sequence[Mapping[str, Any]], *, every: str = "1m") -> None:
    """Run groups of tests, in promtool's notation, on both files."""
    tests = {
        "rule_files": [str(ALERTS), str(RECORDINGS)],
        "evaluation_interval": every,
        "tests": list(groups),
    }
    file = folder / "tests.yaml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool("test", "rules", str(file))


def expected(alert: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The alert with these labels, as promtool compares it."""
    rule = alerts()[alert]
    said = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": said}


def _rules(file: Path) -> list[Mapping[str, Any]]:
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]
