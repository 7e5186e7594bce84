"""RETUNED_TEST_KAFKA has the suites run on a broker of the reader's own. Shown here with one that stands for it."""

import os
import subprocess
import sys
from pathlib import Path

from daemon.demo.broker import LocalBroker
from daemon.kafka.admin import cluster_admin
from tests.factories.intake import kafka_settings
from tests.servers.brokers import REAL

ROOT = Path(__file__).parents[2]
SUITES = ("tests/contracts/test_streams.py", "tests/contracts/test_brokers.py")


def test_the_suites_run_on_the_broker_that_is_named_and_leave_no_topic_there() -> None:
    with LocalBroker() as broker:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *SUITES, "-k", "real and (arrive or made_once)"],
            cwd=ROOT,
            env={**os.environ, REAL: broker.bootstrap},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        with cluster_admin(kafka_settings(broker.bootstrap, "-"), 10) as admin:
            left = [topic for topic in admin.list_topics() if not str(topic).startswith("__")]

    assert "2 passed" in run.stdout, run.stdout
    assert left == []
