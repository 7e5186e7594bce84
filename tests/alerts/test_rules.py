"""The alerts and recording rules, by Prometheus' own tool."""

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from enum import EnumType
from pathlib import Path
from typing import get_args

import pytest

from daemon.domain.halts import HaltKind
from daemon.domain.problems import ProblemKind
from daemon.domain.runs import RunState
from daemon.domain.situation import SituationState
from daemon.telemetry.metrics import ChildName, Metrics
from daemon.views.certificates import SOON
from daemon.views.concerns import GATE_WAITS, NEAR_CEILING, NO_CONVERSATIONS, NO_FEEDBACK, USERS_TALK
from deploy.grafana.frame import RUNBOOK
from monitors.types import Outcome
from registry.types import PromotionKind
from tests.alerts.calm import MINUTES, calm_series
from tests.alerts.cases import LINE, Case, cases, one
from tests.alerts.promtool import ALERTS, RECORDINGS, ROOT, alerts, expected, promtool, recordings, unit_test

DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
#: Labels that Prometheus or its operator adds.
_SCRAPED = {"namespace", "job", "instance", "model_line"}
#: Values of labels that rules select by.
_VALUES: Mapping[tuple[str, str], EnumType | tuple[str, ...]] = {
    ("retuned_problem", "kind"): ProblemKind,
    ("retuned_intake_halted", "reason"): HaltKind,
    ("retuned_situation", "state"): SituationState,
    ("retuned_open_change_triage", "outcome"): Outcome,
    ("retuned_last_run", "outcome"): RunState,
    ("retuned_live_since_timestamp_seconds", "kind"): PromotionKind,
    ("retuned_child_up", "child"): get_args(ChildName),
    ("retuned_certificate_expiry_timestamp_seconds", "setting"): ("kafka.ssl_certfile",),
}
_PAGES = {"2m", "5m"}
_TICKETS = {None, "5m", "15m", "1h", "2h"}


@pytest.mark.parametrize("file", [ALERTS, RECORDINGS], ids=lambda file: file.name)
def test_promtool_finds_no_fault(file: Path) -> None:
    promtool("check", "rules", "--lint-fatal", str(file))


@pytest.mark.parametrize("alert", [*alerts()])
def test_an_alert_says_how_urgent_it_is_and_where_to_read_on(alert: str) -> None:
    rule = alerts()[alert]
    notes = rule["annotations"]

    assert alert.startswith("Retuned")
    assert rule["labels"].keys() == {"severity"}
    assert notes.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert notes["runbook_url"] == f"{RUNBOOK}#{alert.lower()}"
    link = r"https://grafana\.invalid/d/([a-z-]+)\?var-model_line=\{\{ \$labels\.model_line \}\}"
    dashboard = re.fullmatch(link, notes["dashboard_url"])
    assert dashboard is not None
    assert dashboard[1] in {json.loads(file.read_text())["uid"] for file in DASHBOARDS.glob("*.json")}
    waits: Mapping[str, AbstractSet[str | None]] = {
        "critical": _PAGES,
        "warning": _TICKETS,
        "info": {"1h", "1d"},
    }
    assert rule.get("for") in waits[rule["labels"]["severity"]]


@pytest.mark.parametrize("name", [*alerts(), *recordings()])
def test_a_rule_asks_for_metrics_labels_and_values_that_there_are(name: str) -> None:
    expression = {**alerts(), **recordings()}[name]["expr"]
    known = {entry.name: entry for entry in Metrics().catalogue()}
    labels = set(_SCRAPED)
    for metric, selector in re.findall(r"\b(retuned_\w+)(?:\{([^}]*)\})?", expression):
        entry = known[re.sub(r"_(count|sum|bucket)$", "", metric) if metric not in known else metric]
        labels |= set(entry.labels)
        for label, values in re.findall(r'(\w+)[=!~]+"([^"]*)"', selector):
            assert label in entry.labels
            assert set(values.split("|")) <= set(map(str, _VALUES[metric, label]))
    for by in re.findall(r"by \(([^)]*)\)", expression):
        assert set(by.split(", ")) <= labels
        assert {"namespace", "job", "model_line"} <= set(by.split(", "))


@pytest.mark.parametrize("alert", [*alerts()])
def test_an_alert_fires_and_does_not_fire(alert: str, tmp_path: Path) -> None:
    mine = [case for case in cases() if case.alert == alert]
    assert [time for case in mine for time in case.fires], "there is no case in which it fires"
    assert [time for case in mine for time in case.quiet], "there is no case in which it does not fire"

    for every in {case.every for case in mine}:
        unit_test(tmp_path, [_group(case) for case in mine if case.every == every], every=every)


def test_a_certificate_expires_soon_when_status_and_doctor_say_so() -> None:
    assert f"< {SOON.days} * 24 * 3600" in alerts()["RetunedCertificateExpires"]["expr"]


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("RetunedNoConversations", f"> {NO_CONVERSATIONS // timedelta(hours=1)} * 3600"),
        ("RetunedFeedbackSilent", f"> {NO_FEEDBACK.days} * 24 * 3600"),
        ("RetunedFeedbackSilent", f"< {USERS_TALK // timedelta(hours=1)} * 3600"),
        ("RetunedGateStarving", f"> {GATE_WAITS.days} * 24 * 3600"),
        ("RetunedDeadLettersNearCeiling", f"> {NEAR_CEILING}"),
    ],
)
def test_status_names_a_concern_when_its_alert_does(alert: str, limit: str) -> None:
    assert limit in alerts()[alert]["expr"]


def test_every_case_is_of_an_alert() -> None:
    assert {case.alert for case in cases()} == alerts().keys()


def _group(case: Case) -> dict[str, object]:
    firing = [expected(case.alert, {**LINE, **case.labels})] if case.fires else []
    at = {"alertname": case.alert}
    return {
        "name": f"{case.alert}: {case.what}",
        "interval": case.every,
        "input_series": case.promtool_series(),
        "alert_rule_test": [
            *({**at, "eval_time": time, "exp_alerts": firing} for time in case.fires),
            *({**at, "eval_time": time, "exp_alerts": []} for time in case.quiet),
        ],
    }


_READ = {
    one("retuned_intake_records_total", kind="conversation"): "0+90x20",
    one("retuned_intake_records_total", "b", kind="conversation"): "0+30x20",
}
_LINE_LABEL = '{model_line="chat"}'
_RECORDED: Mapping[str, tuple[Mapping[str, str], Mapping[str, float]]] = {
    "model_line:retuned_consumer_lag_records:sum": (
        {
            one("retuned_consumer_lag_records", partition="0"): "3x20",
            one("retuned_consumer_lag_records", "b", partition="1"): "4x20",
        },
        {_LINE_LABEL: 7},
    ),
    "model_line:retuned_intake_records:rate5m": (_READ, {_LINE_LABEL: 2}),
    "model_line:retuned_records_rejected:ratio_rate5m": (
        {**_READ, one("retuned_records_rejected_total", reason="not_json"): "0+40x20"},
        {_LINE_LABEL: 0.25},
    ),
    "model_line:retuned_situation:max": (
        {
            one("retuned_situation", state="stable"): "0x20",
            one(
                "retuned_situation", state="training"
            ): "1x7 _x12",  # a restart: the last word counts for ten minutes
        },
        {'{model_line="chat",state="stable"}': 0, '{model_line="chat",state="training"}': 1},
    ),
}


@pytest.mark.parametrize("record", [*recordings()])
def test_a_recording_rule_gives_what_it_is_named_for_and_nothing_of_nothing(
    record: str, tmp_path: Path
) -> None:
    series, samples = _RECORDED[record]
    given = [{"series": name, "values": values} for name, values in series.items()]
    found = [{"labels": f"{record}{labels}", "value": value} for labels, value in samples.items()]

    unit_test(
        tmp_path,
        [
            {
                "interval": "1m",
                "input_series": read,
                "promql_expr_test": [{"expr": record, "eval_time": "15m", "exp_samples": samples_}],
            }
            for read, samples_ in ((given, found), ([], []))
        ],
    )


def test_no_alert_fires_on_a_calm_line_whose_replicas_restart(tmp_path: Path) -> None:
    """Two days with a training each, a restart every three hours, and changes of leader."""
    fired = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[2d]))'

    unit_test(
        tmp_path,
        [
            {
                "interval": "1m",
                "input_series": calm_series(),
                "promql_expr_test": [
                    {"expr": fired, "eval_time": f"{MINUTES}m", "exp_samples": []},
                    {
                        "expr": "count(model_line:retuned_situation:max == 1)",
                        "eval_time": f"{MINUTES - 1}m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    },
                ],
            }
        ],
    )


def test_the_calm_line_has_what_the_alerts_read() -> None:
    """But for what a calm line does not show."""
    read = {name for rule in alerts().values() for name in re.findall(r"\bretuned_\w+", rule["expr"])}
    shown = {series["series"].partition("{")[0] for series in calm_series()}

    assert read - shown == {
        "retuned_open_transaction_wait_timestamp_seconds",
        "retuned_teacher_failing_since_timestamp_seconds",
        "retuned_token_failing_since_timestamp_seconds",
        "retuned_open_change_triage",
    }
