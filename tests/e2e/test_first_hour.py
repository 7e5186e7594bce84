"""A newcomer's first hour: the commands of the README's section `Use it`, word by word, with a tiny model."""

import json
import os
import re
import shutil
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.domain.conversation import Conversation
from tests.e2e.daemon_process import free_port, samples_of
from tests.e2e.regimes import shop_questions, small_talk
from tests.e2e.shell import Shell
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## Use it\n(.*?)^## ", re.MULTILINE | re.DOTALL)
#: What `pip install .` needs of the checkout.
SOURCES = (
    "daemon",
    "monitors",
    "learners",
    "registry",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "constraints.txt",
)
#: What a tiny model on two busy cores needs, and a newcomer does not: the words stay the README's.
TINY = {
    "RETUNED_MODEL__DEVICE": "cpu",
    "RETUNED_MODEL__THREADS": "2",
    "RETUNED_WINDOWS__REFERENCE_DAYS": "0",
    "RETUNED_POLICY__ON_DRIFT": "false",
    "RETUNED_POLICY__MAX_NEW_CONVERSATIONS": "150",
    "RETUNED_LEARNING__RANK": "8",
    "RETUNED_LEARNING__LEARNING_RATE": "0.01",
    "RETUNED_LEARNING__REPLAY_SHARE": "0.3",
    "RETUNED_GATE__MAX_CONVERSATIONS": "60",
}
MONDAY, FRIDAY = 320, 320


def commands() -> list[str]:
    """The lines of the section's code, without their comments."""
    [section] = SECTION.findall((ROOT / "README.md").read_text("utf-8"))
    lines = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    return [line.partition("  #")[0].strip() for line in lines]


class Hour:
    """What a newcomer sees of the daemon between two commands."""

    def __init__(self, shell: Shell, port: int) -> None:
        self._shell = shell
        self._port = port

    def ready(self) -> bool:
        try:
            self._get("/readyz")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def gone(self) -> bool:
        try:
            self._get("/livez")
        except urllib.error.HTTPError:
            return False
        except (urllib.error.URLError, ConnectionError):
            return True
        return False

    def total(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(sample.value for sample in samples_of(self._get("/metrics")) if sample.name == name)

    def status(self) -> Any:
        return json.loads(self._shell.type("retuned status --json"))["overview"]

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
            return str(answer.read().decode())


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def shell(tmp_path: Path, tiny_model: Path, port: int) -> Iterator[Shell]:
    """A shell in a checkout, beside a model and two files of conversations."""
    folder = tmp_path / "retuned"
    folder.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copytree(tiny_model, folder / "my-model")
    write(folder / "monday.jsonl", list(small_talk(MONDAY, seed=1)))
    write(folder / "friday.jsonl", list(shop_questions(FRIDAY, seed=2)))
    path = f"{environment(tmp_path / 'environment')}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RETUNED_", "PYTHON"))}
    environ = {
        **kept, **TINY, "PATH": path, "OMP_NUM_THREADS": "2", "PIP_QUIET": "1", "PIP_ROOT_USER_ACTION": "ignore",
        "RETUNED_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "RETUNED_HTTP__PORT": str(port),
    }  # fmt: skip
    with Shell(folder, environ) as made:
        yield made


def environment(folder: Path) -> Path:
    """Make an environment that has the dependencies of the tests' own; return the folder of its programs."""
    venv.create(folder, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
    return folder / "bin"


def write(file: Path, conversations: Sequence[Conversation]) -> None:
    """Write conversations in the shape that the README shows."""
    file.write_bytes(
        b"".join(
            orjson.dumps(
                {
                    "id": each.conversation_id,
                    "messages": [{"role": turn.role, "content": turn.content} for turn in each.messages],
                }
            )
            + b"\n"
            for each in conversations
        )
    )


def test_the_section_has_the_whole_hour() -> None:
    words = "\n".join(commands())

    places = [words.index(word) for word in (
        "pip install", "retuned init", "retuned broker", "retuned doctor", "retuned run", "retuned replay", "retuned drift",
        "retuned train", "retuned show", "retuned rollback", "retuned promote", "retuned backup", "kill",
    )]  # fmt: skip
    assert places == sorted(places)
    assert commands()[-2:] == ["retuned run &", "retuned status"]


def test_the_first_hour_goes_as_the_readme_says(shell: Shell, port: int) -> None:
    hour = Hour(shell, port)
    printed: dict[str, str] = {}
    sent, started = 0, time.monotonic()
    for line in commands():
        sys.stdout.write(f"{time.monotonic() - started:5.0f} s: {line}\n")  # shown where the test failed
        printed[line] = shell.type(line)
        if line == "retuned broker &":
            eventually(lambda: shell.type("retuned doctor --json > doctor.json || true; grep -c answers doctor.json || true") == "1\n", deadline_s=60)  # fmt: skip
        elif line == "retuned run &":
            eventually(hour.ready, deadline_s=90)
        elif line.startswith("retuned replay"):
            sent += MONDAY if "monday" in line else FRIDAY
            eventually(lambda sent=sent: hour.total("retuned_conversations_total") == sent, deadline_s=60)  # type: ignore[misc]
        elif line.startswith("retuned train"):
            eventually(lambda: hour.total("retuned_live_version_number") == 1, deadline_s=150)
        elif line.startswith("kill"):
            eventually(hour.gone, deadline_s=30)
        if line.startswith("retuned replay friday"):
            eventually(lambda: hour.total("retuned_alarms_total") >= 1, deadline_s=90)

    assert "Next:" in next(text for line, text in printed.items() if line.startswith("retuned init"))
    assert "better" in printed["retuned show v1"]
    assert hour.status()["live"]["version"] == "chat-v1"
