"""Replicas of one daemon, each in a process of its own, on one ledger and one consumer group."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.daemon_process import DaemonProcess, free_port
from tests.e2e.stream import Stream
from tests.servers.brokers import Broker

SIZE = 20
SETTINGS: dict[str, Any] = {
    "model_line": "tiny",
    "windows": {"size": SIZE, "min_size": SIZE, "reference_size": 50, "reference_days": 0},
    "policy": {"on_drift": False},
    "leader": {"lease_s": 5},  # a busy machine may keep a leader from renewing a shorter one
}


def a_replica(
    number: int,
    stream: Stream,
    broker: Broker,
    model: Path,
    shared: Path,
    ledger: str,
    key: Path,
    **changes: object,
) -> DaemonProcess:
    """``changes`` replaces whole sections of the settings."""
    folder, port = shared / f"replica{number}", free_port()
    folder.mkdir()
    settings = {
        **SETTINGS,
        "state_dir": str(folder / "state"),
        "ledger_url": ledger,
        "artifacts_url": f"file://{shared / 'artifacts'}",
        "target_dir": str(shared / "target"),
        "holdout": {"key_file": str(key)},
        "model": {"base": str(model), "device": "cpu", "threads": 1},
        "kafka": {
            "bootstrap_servers": broker.bootstrap.split(","),
            "topic": stream.settings.topic,
            "dead_letter_topic": stream.settings.dead_letter_topic,
            "group_id": stream.settings.group_id,
            "session_timeout_ms": 1_200,
            "heartbeat_interval_ms": 400,
        },
        "http": {"port": port},
        **changes,
    }
    config = folder / "retuned.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return DaemonProcess(config, http_port=port)


def leaders(replicas: Sequence[DaemonProcess]) -> list[DaemonProcess]:
    return [replica for replica in replicas if replica.metric("retuned_leader") == 1]
