"""Commands read versions and reports in a moment: only judging imports numerical libraries."""

import subprocess
import sys

import pytest

_HEAVY = ("numpy", "scipy")


@pytest.mark.parametrize("module", ["looks", "line_logs", "codec", "transitions"])
def test_what_commands_read_with_imports_no_numerical_library(module: str) -> None:
    code = f"import sys, registry.{module}; print([name for name in {_HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
