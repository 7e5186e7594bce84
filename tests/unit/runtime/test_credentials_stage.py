"""Certificates and the access token are shown as times at which they end."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.runtime.credentials_stage import CredentialsStage
from daemon.telemetry.exposition import read_samples
from daemon.telemetry.metrics import Metrics
from daemon.views.certificates import Certificate

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@dataclass
class Tokens:
    seconds_left: float | None = None
    failing_for_s: float | None = None


def shown(metrics: Metrics, name: str) -> list[float]:
    return [sample.value for sample in read_samples(metrics.exposition("")[1].decode(), name)]


def test_a_token_is_shown_with_its_end_and_since_when_it_is_not_renewed() -> None:
    tokens, metrics = Tokens(), Metrics()
    stage = CredentialsStage(list, tokens, metrics=metrics, clock=lambda: NOW)
    expiry, failing = (
        "retuned_token_expiry_timestamp_seconds",
        "retuned_token_failing_since_timestamp_seconds",
    )

    stage.step()
    assert (shown(metrics, expiry), shown(metrics, failing)) == ([], [])

    tokens.seconds_left, tokens.failing_for_s = 60.0, 30.0
    stage.step()
    assert shown(metrics, expiry) == [NOW.timestamp() + 60]
    assert shown(metrics, failing) == [NOW.timestamp() - 30]

    tokens.failing_for_s = None
    stage.step()
    assert shown(metrics, failing) == []


def test_certificates_are_read_once_a_minute() -> None:
    now, reads, metrics = [NOW], [0], Metrics()

    def read() -> list[Certificate]:
        reads[0] += 1
        return [Certificate(setting="kafka.ssl_cafile", file=Path("ca.pem"), expires_at=NOW)]

    stage = CredentialsStage(read, None, metrics=metrics, clock=lambda: now[0])
    for _ in range(3):
        stage.step()
        now[0] += timedelta(seconds=25)

    assert reads == [1]
    stage.step()
    assert reads == [2]
    assert shown(metrics, "retuned_certificate_expiry_timestamp_seconds") == [NOW.timestamp()]
