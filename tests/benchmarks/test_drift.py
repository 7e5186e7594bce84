"""Drift detectors on the same streams: the quick size of `retuned bench drift`, end to end."""

import sys
from pathlib import Path

import pytest

from daemon.demo.data import DemoDataMissing, chit_chat
from monitors.bench.contenders import OURS
from tests.factories.cli import typed

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
FILES = [path for name in ("sgd", "crosswoz_zh") if (path := SHARED / f"{name}.jsonl.gz").exists()]


def sources() -> list[str]:
    """The conversations that are there."""
    words = [word for path in FILES for word in ("--data", str(path))]
    try:
        chit_chat(limit=1)
    except DemoDataMissing:
        return words
    return words or ["--packages"]


@pytest.mark.timeout(1_200)
def test_drift(tmp_path: Path) -> None:
    data = sources()
    if not data:
        pytest.skip("there are no conversations: neither ../shared/data nor chitchat-dataset")

    shown = typed("bench", "drift", *data, "--quick", "--out", str(tmp_path))

    sys.stdout.write(f"\n{shown.stdout}")
    assert shown.exit_code == 0
    assert OURS in shown.stdout
    assert (tmp_path / "results.json").exists()
