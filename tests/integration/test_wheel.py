"""What is built is what users get: the wheel, away from the checkout."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from daemon.cli.app import main; sys.exit(main())"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=240, capture_output=True)
    return next(folder.glob("retuned-*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked where nothing else is; its dependencies come from the environment of the tests."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(site: Path, code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_wheel_holds_the_four_packages_and_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"daemon", "learners", "monitors", "registry"}
    assert "daemon/intake/schema/record.schema.json" in names
    assert "monitors/explanation/pages/report.html" in names
    assert any(name.startswith("daemon/ledger/migrations/versions/v0001") for name in names)
    assert any(name.endswith("entry_points.txt") for name in names)


def test_help_answers_in_under_a_second(site: Path, tmp_path: Path) -> None:
    run(site, COMMAND, "--help", cwd=tmp_path)  # compiles
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        answered = run(site, COMMAND, "--help", cwd=tmp_path)
        seconds.append(time.monotonic() - started)
        assert answered.returncode == 0
        assert "rollback" in answered.stdout

    assert min(seconds) < 1


def test_a_ledger_is_made_from_the_wheels_own_migrations(site: Path, tmp_path: Path) -> None:
    code = "import sys; from daemon.ledger import database; database.open_ledger(sys.argv[1]); print(database.__file__)"

    made = run(site, code, f"sqlite:///{tmp_path / 'ledger.db'}", cwd=tmp_path)

    assert made.stdout.startswith(str(site)), made.stderr
    assert (tmp_path / "ledger.db").is_file()
