"""The systemd unit: as hardened and as patient as it should be, and what systemd itself says of it."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.runtime.build import CLOSE_WITHIN_S

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "retuned.service"
#: Known from release 254 on; systemd before it says so and goes on.
NEWER = ("RestartSteps", "RestartMaxDelaySec")


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read(UNIT)
    return parser["Service"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("ProtectHome", "yes"), ("PrivateTmp", "yes"),
        ("StateDirectory", "retuned"), ("StateDirectoryMode", "0700"), ("UMask", "0077"), ("CapabilityBoundingSet", ""),
        ("Restart", "on-failure"), ("RestartPreventExitStatus", "2"), ("RestartMaxDelaySec", "60"),
        ("ExecStart", "/opt/retuned/bin/retuned run"), ("User", "retuned"),
    ],
)  # fmt: skip
def test_the_unit_says(service: configparser.SectionProxy, key: str, value: str) -> None:
    assert service[key] == value


def test_systemd_waits_longer_than_the_daemon_needs_to_stop(service: configparser.SectionProxy) -> None:
    assert int(service["TimeoutStopSec"]) >= CLOSE_WITHIN_S + 10


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is missing; the other tests parse the unit")
    copy = tmp_path / "retuned.service"
    copy.write_text(
        UNIT.read_text("utf-8").replace("/opt/retuned/bin/retuned", sys.executable), encoding="utf-8"
    )

    done = subprocess.run(
        [program, "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60
    )

    said = [
        line for line in (done.stdout + done.stderr).splitlines() if str(copy) in line or "retuned" in line
    ]
    assert [line for line in said if not any(f"'{key}'" in line for key in NEWER)] == []
