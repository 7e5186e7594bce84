import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from daemon.domain.decisions import Action, Decision, DecisionGround, Trigger
from daemon.telemetry.metrics import Metrics
from monitors.types import Finding
from registry.names import VersionName
from registry.types import Figure, Measure, PromotionKind
from tests.factories.metrics import (
    COLUMNS,
    a_check_report,
    a_gate_report,
    a_progress,
    a_promotion,
    a_slice,
    a_verdict,
    busy_metrics,
)

BASE_UNITS = {"", "seconds", "bytes", "ratio", "records", "nats_per_token", "tokens_per_second"}


def series(metrics: Metrics, name: str) -> dict[str, float]:
    """The series of a name: its label values, joined by commas in the order of the labels' names."""
    text = metrics.exposition("")[1].decode()
    return {
        ",".join(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_names_are_unique_and_say_type_and_unit() -> None:
    entries = Metrics().catalogue()

    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.name.startswith("retuned_")
        assert entry.unit in BASE_UNITS
        assert entry.name.removesuffix("_total").endswith(entry.unit)
        assert entry.name.endswith("_total") == (entry.type == "counter")
        assert entry.help.endswith(".")


def test_the_catalogue_is_what_is_exposed() -> None:
    metrics = busy_metrics()
    exposed = {
        (family.name + "_total" if family.type == "counter" else family.name, family.type)
        for family in text_families(metrics.exposition("")[1].decode())
        if family.name.startswith("retuned_")
    }

    assert exposed == {(entry.name, entry.type) for entry in metrics.catalogue()}


def test_a_busy_daemon_shows_every_metric() -> None:
    families = text_families(busy_metrics().exposition("")[1].decode())

    assert [family.name for family in families if not family.samples] == []


def test_openmetrics_is_valid_and_has_the_units() -> None:
    metrics = busy_metrics()

    content_type, text = metrics.exposition("application/openmetrics-text;version=1.0.0,text/plain;q=0.3")

    families = openmetrics_families(text.decode())  # type: ignore[no-untyped-call]
    units = {family.name: family.unit for family in families}
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert units["retuned_ledger_size_bytes"] == "bytes"


def test_the_answer_repeats_nothing_of_the_accept_header() -> None:
    content_type, _ = Metrics().exposition("application/openmetrics-text; version=9.9; escaping=evil")

    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"


def test_creation_times_are_left_out() -> None:
    assert b"_created" not in busy_metrics().exposition("")[1]


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_every_sample_of_the_daemon_says_its_model_line(accept: str) -> None:
    parse = openmetrics_families if accept else text_families
    families = parse(busy_metrics().exposition(accept)[1].decode())
    samples = [sample for family in families for sample in family.samples]

    assert {each.labels.get("model_line") for each in samples if each.name.startswith("retuned_")} == {"chat"}
    assert {"model_line" in each.labels for each in samples if each.name.startswith("process_")} == {False}


def test_a_version_of_another_line_keeps_its_own_line() -> None:
    metrics = Metrics("support")

    metrics.release.live_is(VersionName("chat", 1))

    assert series(metrics, "retuned_live_version_number") == {"chat": 1.0}


def test_two_catalogues_share_nothing() -> None:
    one, other = Metrics(), Metrics()

    one.drift.windows_closed.inc()

    assert series(other, "retuned_windows_closed_total") == {"": 0.0}


def test_series_of_closed_labels_start_at_zero() -> None:
    assert series(Metrics(), "retuned_decisions_total") == {
        f"{action},{trigger}": 0.0 for action in Action for trigger in Trigger
    }


def test_only_the_last_decision_is_shown_with_its_ground() -> None:
    metrics = Metrics()
    wait = Decision(
        at=datetime(2026, 11, 24, tzinfo=UTC), trigger=Trigger.DRIFT, action=Action.WAIT, reason="", since_seq=1,
        ground=DecisionGround.UNCONFIRMED,
    )  # fmt: skip
    metrics.drift.decided(wait)

    metrics.drift.decided(
        replace(
            wait,
            trigger=None,
            action=Action.NONE,
            ground=DecisionGround.NO_CAUSE,
            at=wait.at + timedelta(hours=1),
        )
    )

    shown = {"none,no_cause,none": wait.at.timestamp() + 3_600}
    assert series(metrics, "retuned_last_decision_timestamp_seconds") == shown
    assert series(metrics, "retuned_decisions_total")["wait,drift"] == 1.0


def test_a_verdict_is_counted_and_its_score_shown() -> None:
    metrics = Metrics()

    metrics.drift.judged(a_verdict(finding=Finding.STABLE, score=0.1))
    metrics.drift.judged(a_verdict(finding=Finding.DRIFT, score=0.9))

    assert series(metrics, "retuned_verdicts_total") == {"stable,words": 1.0, "drift,words": 1.0}
    assert series(metrics, "retuned_drift_score") == {"words": 0.9}
    assert series(metrics, "retuned_drift_threshold") == {"words": 0.5}


def test_a_partition_that_was_taken_away_shows_no_lag() -> None:
    metrics = Metrics()

    metrics.intake.lag.replace({(0,): 5, (1,): 7})
    metrics.intake.lag.replace({(1,): 6})

    assert series(metrics, "retuned_consumer_lag_records") == {"1": 6.0}


def test_a_run_shows_how_far_it_is() -> None:
    metrics = Metrics()

    metrics.training.run_is_at(a_progress(step=5, steps=20))

    assert series(metrics, "retuned_run_progress_ratio") == {"": 0.25}
    assert series(metrics, "retuned_run_loss_nats_per_token") == {"": 2.5}
    assert series(metrics, "retuned_run_tokens_per_second") == {"": 400.0}
    assert series(metrics, "retuned_run_left_seconds") == {"": 60.0}


def test_what_a_run_can_not_say_yet_is_absent() -> None:
    metrics = Metrics()
    metrics.training.run_is_at(a_progress())

    metrics.training.run_is_at(a_progress(step=0, steps=0, loss=None, seconds_left=None))

    assert series(metrics, "retuned_run_progress_ratio") == {"": 0.0}
    assert series(metrics, "retuned_run_loss_nats_per_token") == {}
    assert series(metrics, "retuned_run_left_seconds") == {}


@pytest.mark.parametrize(
    "name", ["progress_ratio", "loss_nats_per_token", "tokens_per_second", "left_seconds"]
)
def test_without_a_run_there_is_no_progress(name: str) -> None:
    metrics = Metrics()
    metrics.training.run_is_at(a_progress())

    metrics.training.no_run()

    assert series(metrics, f"retuned_run_{name}") == {}


def test_the_gate_shows_the_worst_slice_of_each_role() -> None:
    metrics = Metrics()

    metrics.release.judged(
        a_gate_report(
            a_slice("new", role="target", difference=-0.5),
            a_slice("old", role="protected", difference=-0.03),
            a_slice("older", role="protected", difference=-0.01),
        )
    )

    assert series(metrics, "retuned_gate_verdicts_total") == {
        "promote": 1.0,
        "reject": 0.0,
        "inconclusive": 0.0,
    }
    assert series(metrics, "retuned_gate_loss_difference_nats_per_token") == {
        "target": -0.5,
        "protected": -0.01,
    }


def test_the_next_gate_replaces_the_numbers_of_the_last() -> None:
    metrics = Metrics()
    metrics.release.judged(a_gate_report(a_slice("old", role="protected", difference=0.5)))

    metrics.release.judged(a_gate_report(a_slice("new", role="target", difference=-0.5)))

    assert series(metrics, "retuned_gate_loss_difference_nats_per_token") == {"target": -0.5}


def test_what_both_versions_wrote_at_the_latest_look_is_shown() -> None:
    metrics = Metrics()
    figures = (Figure(name="token F1", live=0.1, candidate=0.8, count=40),)
    metrics.release.judged(a_gate_report(checks=(a_check_report("length"),)))

    metrics.release.judged(
        a_gate_report(checks=(a_check_report("no refusal", live=1, candidate=7),), figures=figures)
    )

    assert series(metrics, "retuned_gate_check_failures") == {
        "no refusal,live": 1.0,
        "no refusal,candidate": 7.0,
    }
    assert series(metrics, "retuned_gate_figure") == {"token F1,live": 0.1, "token F1,candidate": 0.8}


def test_slices_that_do_not_decide_or_compare_margins_are_no_loss() -> None:
    metrics = Metrics()
    slices = (
        a_slice("reported", role="reported", difference=0.5),
        replace(a_slice("preferred answers", role="protected", difference=0.4), measure=Measure.MARGIN),
        a_slice("old", role="protected", difference=-0.1),
    )

    metrics.release.judged(a_gate_report(*slices))

    assert series(metrics, "retuned_gate_loss_difference_nats_per_token") == {"protected": -0.1}


def test_only_one_version_is_live() -> None:
    metrics = Metrics()

    metrics.release.promoted(a_promotion(number=1))
    metrics.release.promoted(a_promotion(number=2))

    assert series(metrics, "retuned_live_version_info") == {"chat,chat-v2": 1.0}
    assert series(metrics, "retuned_live_version_number") == {"chat": 2.0}


def test_a_rollback_by_an_operator_is_counted_as_such() -> None:
    metrics = Metrics()

    metrics.release.promoted(a_promotion(number=0, kind=PromotionKind.ROLLBACK, actor="operator"))

    assert series(metrics, "retuned_promotions_total")["operator,rollback"] == 1.0
    assert series(metrics, "retuned_live_version_number") == {"chat": 0.0}


def test_nothing_live_shows_no_version() -> None:
    metrics = Metrics()
    metrics.release.live_is(VersionName("chat", 1))

    metrics.release.live_is(None)

    assert series(metrics, "retuned_live_version_info") == {}
    assert series(metrics, "retuned_live_version_number") == {}


def test_a_scrape_never_falls_between_two_live_versions() -> None:
    metrics = Metrics()
    metrics.release.live_is(VersionName("chat", 0))
    done = threading.Event()

    def promote() -> None:
        number = 0
        while not done.is_set():
            number += 1
            metrics.release.live_is(VersionName("chat", number))

    thread = threading.Thread(target=promote)
    thread.start()
    try:
        seen = [len(series(metrics, "retuned_live_version_info")) for _ in range(30)]
    finally:
        done.set()
        thread.join()

    assert seen == [1] * 30


def test_each_column_of_the_latest_window_is_shown_against_its_level() -> None:
    metrics = Metrics()

    metrics.drift.judged(replace(COLUMNS, numbers={"p_turns": 1e-6, "p_feedback": 1.0}))
    assert series(metrics, "retuned_column_drift_score") == {"turns": 1.5, "feedback": 0.0}

    metrics.drift.judged(replace(COLUMNS, numbers={"p_turns": 1e-2}))
    assert series(metrics, "retuned_column_drift_score") == {"turns": 0.5}
