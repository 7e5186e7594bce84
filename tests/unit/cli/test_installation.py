"""The start check: another distribution has overwritten a package of retuned."""

import base64
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.cli.installation import overwritten

PACKAGES = ("daemon", "registry", "monitors", "learners")


def install(site: Path, distribution: str, files: dict[str, str]) -> None:
    """What pip does: it writes the files over what is there, and records their digests."""
    lines = []
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text.encode())}\n")
    info = site / f"{distribution}-3.1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 3.1.2\n", encoding="utf-8"
    )
    (info / "RECORD").write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path, "retuned", {f"{package}/__init__.py": f'"""{package}."""\n' for package in PACKAGES})
    install(tmp_path, "another", {"another/__init__.py": ""})
    return tmp_path


def test_an_installation_that_is_whole_passes(site: Path) -> None:
    assert overwritten(site) is None


def test_a_checkout_passes() -> None:
    assert overwritten() is None


@pytest.mark.parametrize(
    ("distribution", "package"),
    [("python-daemon", "daemon"), ("docker-registry", "registry"), ("x", "monitors")],
)
def test_the_culprit_is_named_with_the_way_out(site: Path, distribution: str, package: str) -> None:
    install(site, distribution, {f"{package}/__init__.py": "from .daemon import DaemonContext\n"})

    problem = overwritten(site) or ""

    assert f"{site / package / '__init__.py'} is not retuned's: {distribution} " in problem
    assert (
        f"run: pip uninstall --yes {distribution} && pip install --force-reinstall --no-deps retuned"
        in problem
    )


def test_a_file_that_is_gone_or_was_edited_is_named(site: Path) -> None:
    """Such as after `pip uninstall python-daemon`, which takes the file with it."""
    (site / "daemon" / "__init__.py").unlink()

    assert overwritten(site) == (
        f"{site / 'daemon' / '__init__.py'} is not as retuned installed it; "
        "run: pip install --force-reinstall --no-deps retuned"
    )


def test_the_check_takes_under_five_milliseconds(site: Path) -> None:
    """With as many distributions as an environment of retuned has."""
    for number in range(200):
        install(site, f"other{number}", {f"other{number}/__init__.py": ""})
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        overwritten(site)
        seconds.append(time.perf_counter() - started)

    assert min(seconds) < 0.005


def test_every_command_checks_first(tmp_path: Path) -> None:
    code = (
        "import daemon.cli.app as app; app.overwritten = lambda: 'python-daemon did it'; "
        "import sys; sys.argv = ['retuned', 'no-such-command']; app.main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (1, "retuned: python-daemon did it\n")
