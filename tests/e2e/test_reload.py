"""SIGHUP to a real daemon: what it applies, and what it says."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.daemon_process import DaemonProcess, free_port
from tests.e2e.stream import Stream
from tests.servers.brokers import Broker
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(180)


class File:
    """A settings file that is written again and again."""

    def __init__(self, folder: Path, model: Path, stream: Stream) -> None:
        self.path, self.port = folder / "retuned.yaml", free_port()
        self._settings = {
            "model": {"base": str(model), "device": "cpu", "threads": 1},
            "state_dir": str(folder / "state"),
            "kafka": {
                "bootstrap_servers": list(stream.settings.bootstrap_servers),
                "topic": stream.settings.topic,
            },
            "http": {"port": self.port},
        }

    def write(self, **sections: Any) -> None:
        self.path.write_text(yaml.safe_dump({**self._settings, **sections}), encoding="utf-8")


def reload_of(daemon: DaemonProcess) -> Any:
    return daemon.retuned("status")["daemon"]["reload"]


def test_a_hangup_applies_what_may_change_and_names_the_rest(
    broker: Broker, tiny_model: Path, tmp_path: Path
) -> None:
    file = File(tmp_path, tiny_model, Stream(broker, f"reload-{time.monotonic_ns()}"))
    file.write()
    with DaemonProcess(file.path, http_port=file.port) as daemon:
        assert reload_of(daemon) is None
        file.write(policy={"cooldown_s": 5}, logging={"level": "DEBUG"}, leader={"lease_s": 5})
        daemon.process.send_signal(signal.SIGHUP)
        report = eventually(lambda: reload_of(daemon), deadline_s=30)

        assert report["applied"] == ["policy.cooldown_s: 3600 -> 5.0", "logging.level: INFO -> DEBUG"]
        assert report["needs_restart"] == ["leader.lease_s: 15.0 -> 5.0"]
        assert daemon.metric("retuned_config_awaiting_restart") == 1

        file.write(policy={"cooldown_s": -1}, logging={"level": "LOUD"})
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: daemon.metric("retuned_config_reload_success") == 0, deadline_s=30)

        assert daemon.stop() == 0
        records = [json.loads(line) for line in daemon.log().splitlines()]
        [mistakes] = [record["message"] for record in records if record["level"] == "ERROR"]
        assert "policy.cooldown_s" in mistakes
        assert "logging.level" in mistakes
