"""The daemon reads verdicts and settings without paying for Evidently."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "monitors.types",
        "monitors.suite",
        "monitors.sample_requirements",
        "monitors.times",
        "monitors.sequential.detector_state",
    ],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = "{'evidently', 'pandas', 'sklearn', 'scipy', 'numpy', 'py3langid'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out.strip() == "[]"
