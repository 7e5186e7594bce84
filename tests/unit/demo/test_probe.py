"""The demo reads the daemon's metrics as Prometheus does."""

import pytest

from daemon.demo.probe import free_port, live_in_metrics, live_version

pytestmark = pytest.mark.unit
EXPOSITION = """\
# HELP retuned_live_version_info 1 for the live version, absent for all others.
# TYPE retuned_live_version_info gauge
retuned_live_version_info{model_line="demo",version="demo-v1"} 1.0
retuned_consumer_lag_records{partition="0"} 12.0
"""


def test_the_live_version_is_a_label() -> None:
    assert live_version(EXPOSITION) == "demo-v1"


def test_without_a_live_version_there_is_none() -> None:
    assert live_version("retuned_versions 1.0\n") is None


def test_a_daemon_that_does_not_answer_shows_no_version() -> None:
    assert live_in_metrics(free_port()) is None
