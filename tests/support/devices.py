"""Where the tests of learners compute: on the processor, or on what RETUNED_TEST_DEVICE names (``cuda``)."""

import os

DEVICE = os.environ.get("RETUNED_TEST_DEVICE", "cpu")
