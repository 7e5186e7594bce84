"""How long faults last and how much is written: short in ``make test``, full in ``make soak``."""

import os

import pytest

FULL = bool(os.environ.get("RETUNED_TEST_SOAK"))
#: For a fault that takes too long for ``make test``.
only_soak = pytest.mark.skipif(not FULL, reason="takes long: make soak runs it")
RATE = 400 if FULL else 200  # conversations a second
