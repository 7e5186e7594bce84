"""The servers of the end-to-end tests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.broker import LocalBroker


@pytest.fixture(scope="session")
def broker() -> Iterator[LocalBroker]:
    with LocalBroker() as running:
        yield running


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made in a process of its own, so that no torch stays in this one."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    code = f"from pathlib import Path; from tests.tiny_model import make_tiny_model; make_tiny_model(Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    return folder
