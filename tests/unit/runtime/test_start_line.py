"""The log's first line names what the daemon works with."""

import logging
from pathlib import Path

import pytest

from daemon.http.health import Health
from daemon.http.server import HttpServer
from daemon.runtime.build import _log_start
from daemon.telemetry.metrics import Metrics
from tests.factories.daemon import line_settings


@pytest.mark.parametrize("query", ["", "?password=hush"])
def test_the_start_line_names_file_ledger_topic_group_and_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    settings = line_settings(
        tmp_path,
        ledger_url=f"postgresql://ada:hush@[::1]:5432/retuned{query}",
        artifacts_url="file:///bucket",
        holdout={"key_file": "/key"},
        http={"port": 0},
        kafka={"topic": "talks", "group_id": "g7"},
    )
    caplog.set_level(logging.INFO)

    with HttpServer(settings.http, Metrics(), Health(clock=lambda: 0.0, components=())) as server:
        _log_start(settings, Path("retuned.yaml"), server)
        port = server.port

    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"support-bot is running: settings {Path.cwd()}/retuned.yaml, ledger postgresql://ada:***@[::1]:5432/retuned"
    )
    assert record.getMessage().endswith(f", topic talks, group g7, address http://127.0.0.1:{port}")
    assert "hush" not in record.getMessage()
    assert record.action == "start"  # type: ignore[attr-defined]
