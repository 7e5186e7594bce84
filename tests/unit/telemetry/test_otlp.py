import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.config.sections.tracing import TracingSection
from daemon.domain.spans import Span, is_sampled, span_id, trace_id
from daemon.telemetry.otlp import OtlpExporter
from tests.servers.otlp_receiver import OtlpReceiver
from tests.support.helpers import eventually

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
TRACE = trace_id("ledger", "change", 7)


def a_span(name: str, *, parent: str | None = None, error: str | None = None) -> Span:
    return Span(
        trace=TRACE, id=span_id(TRACE, name), parent=parent, name=name, start=START, end=START + timedelta(seconds=2),
        attributes={"run": "r1", "step": 3}, error=error,
    )  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def counted() -> list[tuple[int, bool]]:
    return []


def an_exporter(endpoint: str, counted: list[tuple[int, bool]], **settings: object) -> OtlpExporter:
    tracing = TracingSection.model_validate({"endpoint": endpoint, **settings})
    exporter = OtlpExporter(tracing, count=lambda spans, sent: counted.append((spans, sent)))
    exporter.start()
    return exporter


def test_spans_arrive_with_their_ids_times_and_relations(
    receiver: OtlpReceiver, counted: list[tuple[int, bool]], tmp_path: Path
) -> None:
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer s3cret\n", encoding="utf-8")
    exporter = an_exporter(receiver.endpoint, counted, headers_file=headers, service_name="support")
    root = a_span("alarm")
    exporter.send([root, a_span("run", parent=root.id, error="Diverged")])
    exporter.close(10)

    alarm, run = receiver.spans()
    assert (alarm.trace, alarm.id, alarm.parent) == (TRACE, root.id, "")
    assert (run.trace, run.parent, run.failed) == (TRACE, root.id, True)
    assert alarm.end - alarm.start == 2_000_000_000
    assert alarm.attributes == {"retuned.run": "r1", "retuned.step": "3"}
    assert alarm.service == "support"
    assert receiver.headers["Authorization"] == "Bearer s3cret"
    assert counted == [(2, True)]


def test_a_collector_that_is_down_is_counted_and_logged_once(
    counted: list[tuple[int, bool]], caplog: pytest.LogCaptureFixture
) -> None:
    exporter = an_exporter("http://127.0.0.1:1", counted)
    with caplog.at_level(logging.DEBUG):
        for number in range(3):
            exporter.send([a_span(f"run {number}")])
            eventually(lambda count=number + 1: len(counted) >= count, deadline_s=20)  # type: ignore[misc]
        exporter.close(5)

    assert all(not sent for _, sent in counted)
    assert [record.levelname for record in caplog.records if record.name.startswith("daemon")] == ["WARNING"]
    assert not any(record.name.startswith("opentelemetry") for record in caplog.records)


def test_the_queue_is_bounded_and_sending_never_waits(counted: list[tuple[int, bool]]) -> None:
    exporter = an_exporter("http://127.0.0.1:1", counted)
    began = datetime.now(UTC)
    exporter.send(a_span(str(number)) for number in range(5_000))

    assert datetime.now(UTC) - began < timedelta(seconds=5)
    exporter.close(0.1)


def test_ids_are_the_same_in_every_process() -> None:
    assert span_id(TRACE, "run", "r1") == span_id(TRACE, "run", "r1") != span_id(TRACE, "run", "r2")
    traces = [trace_id("ledger", "change", number) for number in range(1_000)]
    assert 200 < sum(is_sampled(trace, 0.25) for trace in traces) < 300
    assert all(is_sampled(trace, 1.0) and not is_sampled(trace, 0.0) for trace in traces)
