"""The alert rules, by Prometheus' own tool."""

import re
import subprocess
from pathlib import Path

import yaml

from daemon.domain.situation import SituationState
from daemon.telemetry.metrics import Metrics
from tests.support.helpers import required_program

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yaml"
REMEDY = "install it: apt-get install --no-install-recommends prometheus"


def promtool(*arguments: str) -> str:
    program = required_program("promtool", REMEDY)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_sound() -> None:
    promtool("check", "rules", "--lint-fatal", str(RULES))


def test_every_alert_asks_for_metrics_that_there_are_and_says_what_to_do() -> None:
    known = {entry.name for entry in Metrics().catalogue()}
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            assert set(re.findall(r"retuned_\w+", rule["expr"])) <= known
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert {"summary", "description"} <= rule["annotations"].keys()


def test_an_open_transaction_alerts_after_ten_minutes_and_not_before(tmp_path: Path) -> None:
    series = 'retuned_open_transaction_wait_timestamp_seconds{partition="3"}'
    summary = "Partition 3 has waited ten minutes for an open transaction."
    description = "A producer has neither committed nor aborted. `retuned status` names the offset, the runbook what to do."
    alert = {
        "exp_labels": {"partition": "3", "severity": "warning"},
        "exp_annotations": {"summary": summary, "description": description},
    }
    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                # Waits since minute 2 (second 120), and no longer from minute 20 on.
                "input_series": [{"series": series, "values": "_ _ 120x17 _"}],
                "alert_rule_test": [
                    {"eval_time": "11m", "alertname": "RetunedOpenTransaction", "exp_alerts": []},
                    {"eval_time": "13m", "alertname": "RetunedOpenTransaction", "exp_alerts": [alert]},
                    {"eval_time": "30m", "alertname": "RetunedOpenTransaction", "exp_alerts": []},
                ],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")

    promtool("test", "rules", str(file))


def test_a_change_that_a_training_did_not_answer_alerts_after_an_hour(tmp_path: Path) -> None:
    """From minute 10 on; at minute 80 another training has begun."""
    other = 'retuned_situation{instance="a",state="training"}'
    series = 'retuned_situation{instance="a",state="unresolved"}'
    alert = {
        "exp_labels": {"severity": "warning"},
        "exp_annotations": {
            "summary": "A change of the stream is still there, and a training on it led to no live version.",
            "description": "`retuned why --not` says what became of the candidate or the run, what follows, and what you "
            "can do.",
        },
    }
    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series, "values": "0x9 1x69 0x40"},
                    {"series": other, "values": "1x9 0x69 1x40"},
                ],
                "alert_rule_test": [
                    {"eval_time": "69m", "alertname": "RetunedChangeUnresolved", "exp_alerts": []},
                    {"eval_time": "71m", "alertname": "RetunedChangeUnresolved", "exp_alerts": [alert]},
                    {"eval_time": "85m", "alertname": "RetunedChangeUnresolved", "exp_alerts": []},
                ],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")

    promtool("test", "rules", str(file))


def test_a_teacher_that_fails_alerts_after_half_an_hour(tmp_path: Path) -> None:
    """From minute 10 (second 600) on; from minute 60 on it answers again."""
    series = 'retuned_teacher_failing_since_timestamp_seconds{instance="a"}'
    alert = {
        "exp_labels": {"instance": "a", "severity": "warning"},
        "exp_annotations": {
            "summary": "The teacher has not answered for half an hour.",
            "description": "`retuned teacher show` says why; `retuned doctor` checks address, key and model. All else goes on.",
        },
    }
    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": "_x9 600x49 _x20"}],
                "alert_rule_test": [
                    {"eval_time": "39m", "alertname": "RetunedTeacherFailing", "exp_alerts": []},
                    {"eval_time": "42m", "alertname": "RetunedTeacherFailing", "exp_alerts": [alert]},
                    {"eval_time": "75m", "alertname": "RetunedTeacherFailing", "exp_alerts": []},
                ],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")

    promtool("test", "rules", str(file))


def test_a_line_without_a_leader_alerts_beside_one_that_has_one(tmp_path: Path) -> None:
    """Of two lines in one daemon, ``sales`` has lost its leader; the sum over both would be 1."""
    alert = {
        "exp_labels": {"model_line": "sales", "severity": "critical"},
        "exp_annotations": {
            "summary": "Not exactly one replica leads.",
            "description": "Nothing is judged, trained or promoted without a leader.",
        },
    }
    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'retuned_leader{instance="a",model_line="chat"}', "values": "1x20"},
                    {"series": 'retuned_leader{instance="a",model_line="sales"}', "values": "0x20"},
                ],
                "alert_rule_test": [
                    {"eval_time": "10m", "alertname": "RetunedNoLeader", "exp_alerts": [alert]}
                ],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")

    promtool("test", "rules", str(file))


def test_every_state_that_an_alert_asks_for_exists() -> None:
    asked = re.findall(r'retuned_situation\{state="(\w+)"\}', RULES.read_text(encoding="utf-8"))

    assert asked == ["unresolved", "not_trained"]
    assert {*asked} <= {*SituationState}
