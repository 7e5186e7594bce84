"""Mistakes are told in words of the settings, whatever is wrong, each at the line of its key."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from daemon.config.loader import Mistake, SettingsError, load
from daemon.config.settings import Settings
from daemon.config.wording import PATTERNS

#: Words of pydantic, of Python and of libraries, which are no words of a setting.
FOREIGN = re.compile(
    r"Input should|valid (integer|string|number|tuple|dict|boolean)|instance of|pattern|Extra inputs|Value error|"
    r"Field required|Unable to parse|fields; got|Unrecognized|Traceback|[A-Za-z]+Error\b"
)
WRONG: list[Any] = [
    None, True, -1, 0, 1, 2.5, 10**400, -(10**30), float("nan"), float("inf"), 1e308, "", " ", "x" * 70_000, "no such", "9e9",
    "a\x00b", "http://a:b@c/", [], [1], [None], ["", "a b"], ["x" * 100] * 20, [[1]], {}, {"a": 1}, {1: "a"}, {"a": ["b"]},
    yaml.safe_load("2026-11-30"), yaml.safe_load("12:30"), yaml.safe_load("!!binary aGk="),
]  # fmt: skip


def fields(model: type[BaseModel] = Settings, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every setting and every section."""
    for name, field in model.model_fields.items():
        yield (*place, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, (*place, name))


def mistakes(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[Mistake]:
    """The mistakes in a settings file; none if it has none."""
    path = folder / "retuned.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path, environ or {})
    except SettingsError as error:
        return list(error.mistakes)
    return []


def told(folder: Path, text: str) -> list[str]:
    """The mistakes as lines, without the file's folder."""
    return [str(mistake).removeprefix(f"{folder}/") for mistake in mistakes(folder, text)]


@pytest.mark.parametrize("place", list(fields()), ids=".".join)
def test_no_foreign_words_whatever_a_setting_holds(tmp_path: Path, place: tuple[str, ...]) -> None:
    for wrong in WRONG:
        document: Any = wrong
        for name in reversed(place):
            document = {name: document}
        document.setdefault("model", {"base": "b"} if place[0] != "model" else wrong)

        for mistake in mistakes(tmp_path, yaml.safe_dump(document, allow_unicode=True)):
            assert not FOREIGN.search(mistake.problem), (wrong, mistake.problem)
            assert re.match(rf"{re.escape(str(tmp_path))}/retuned\.yaml:\d+$", mistake.source)


def test_every_pattern_of_a_setting_has_words() -> None:
    schema = str(Settings.model_json_schema())

    assert {
        found.encode().decode("unicode_escape") for found in re.findall(r"'pattern': '([^']*)'", schema)
    } == set(PATTERNS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("monitors: {feedback_wait_h: 0}", "monitors.feedback_wait_h: must be more than 0"),
        ("windows: {size: 3}", "windows.size: must be at least 20"),
        ("gate: {alpha: 0.5}", "gate.alpha: must be less than 0.5"),
        ("http: {port: 70000}", "http.port: must be at most 65535"),
        ("windows: {size: many}", "windows.size: must be a whole number"),
        ("windows: {size: 20.5}", "windows.size: must be a whole number, without a fraction"),
        ("learning: {alpha: much}", "learning.alpha: must be a number"),
        ("learning: {epochs: .inf}", "learning.epochs: must be a finite number"),
        ("policy: {on_drift: perhaps}", "policy.on_drift: must be true or false"),
        ("kafka: {group_id: ''}", "kafka.group_id: must not be empty"),
        ("kafka: {topic: a b}", "kafka.topic: must be 1 to 249 letters (a to z), digits, dots, underscores and dashes"),
        ("kafka: {bootstrap_servers: k1:9092}", "kafka.bootstrap_servers: must be a list, such as [a, b]"),
        ("kafka: {bootstrap_servers: []}", "kafka.bootstrap_servers: must not be empty"),
        ("dead_letters: {keep: all}", "dead_letters.keep: must be bytes or digest"),
        ("hygiene: {phone_regions: [NO]}", ("hygiene.phone_regions.0: must be text; YAML takes a bare yes, no, on or off "
         "for true or false, so put it in quotes")),
        ("model_line: 2026-11-30", "model_line: must be text; put it in quotes"),
        ("kafka:", "kafka: is empty: indent its settings below it, or remove it"),
        ("kafka: 3", "kafka: must be a section: its settings stand below it, indented"),
        ("policy: {schedule: daily}", ("policy.schedule: must be five cron fields in UTC (minute, hour, day, month, weekday), "
         'such as "0 3 * * 1"')),
        ("1: 2", "1: the name must be text; put it in quotes"),
        ("windows: {sise: 30}", "windows.sise: there is no such setting; did you mean size?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_words_of_the_setting(tmp_path: Path, text: str, problem: str) -> None:
    assert told(tmp_path, f"model: {{base: b}}\n{text}\n") == [f"retuned.yaml:2: {problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [\n", "retuned.yaml:2: is not YAML: while parsing a flow node, expected the node content"),
        ("x: 2026-02-31\n", "retuned.yaml: is not YAML: a value can't be read: day is out of range for month"),
        ("a: 1\n---\nb: 2\n", "retuned.yaml:2: is not YAML: expected a single document in the stream, but found another document"),
        ("a: &a {b: *a}\n", "retuned.yaml:1: a: there is no such setting"),
    ],
)  # fmt: skip
def test_what_is_no_settings_file_is_a_mistake(tmp_path: Path, text: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in told(tmp_path, text)), told(tmp_path, text)


def test_a_file_in_another_encoding_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "retuned.yaml"
    path.write_bytes("model_line: été".encode("latin-1"))

    with pytest.raises(SettingsError, match="is not UTF-8: byte 12 can't be read"):
        load(path, {})


def test_a_setting_that_stands_twice_names_both_lines(tmp_path: Path) -> None:
    text = """\
model: {base: b}
windows:
  size: 30
  min_size: 20
  size: 40
kafka: {topic: a, topic: b, topic: c}
"windows":
  reference_days: 1
"""

    assert told(tmp_path, text) == [
        "retuned.yaml:5: windows.size: stands here again, first in line 3; remove one of the two",
        "retuned.yaml:6: kafka.topic: stands here again, first in line 6; remove one of the two",
        "retuned.yaml:6: kafka.topic: stands here again, first in line 6; remove one of the two",
        "retuned.yaml:7: windows: stands here again, first in line 2; remove one of the two",
    ]


def test_the_same_name_in_two_sections_or_by_an_anchor_is_no_repetition(tmp_path: Path) -> None:
    text = """\
model: {base: b, device: cpu}
monitors: {seed: 1, embedding: &e {device: cpu}}
learning: {seed: 1}
windows: {<<: &w {size: 30}, size: 40}
"""

    assert told(tmp_path, text) == []


def test_a_repetition_and_other_mistakes_are_told_together(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "model: {base: b}\nhttp: {port: 1, port: x}\n", {"RETUNED_ZZZ": "1"})

    assert [mistake.path for mistake in found] == ["http.port", "http.port", ""]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kafka:\n  topic: t\n  heartbeat_interval_ms: 9000\n",
         "retuned.yaml:4: kafka.heartbeat_interval_ms: must be at most a third of session_timeout_ms"),
        ("kafka:\n  topic: t\n  session_timeout_ms: 3000\n",
         "retuned.yaml:4: kafka.session_timeout_ms: heartbeat_interval_ms must be at most a third of session_timeout_ms"),
        ("kafka:\n  topic: t\n  sasl_username: u\n", "retuned.yaml:4: kafka.sasl_username: security_protocol PLAINTEXT uses no SASL"),
        ("kafka:\n  topic: t\n  security_protocol: SASL_SSL\n", "retuned.yaml:4: kafka.security_protocol: SASL_SSL needs"),
        ("kafka:\n  topic: t\n  ssl_cafile: /ca.pem\n", "retuned.yaml:4: kafka.ssl_cafile: security_protocol PLAINTEXT uses no TLS"),
        ("retention:\n  history: 200\n  conversations: 100\n", "retuned.yaml:4: retention.conversations: "),
        ("windows:\n  reference_days: 1\n  reference_size: 200000\n", "retuned.yaml:4: windows.reference_size: retention.conv"),
        ("dead_letters:\n  among: 20000\n", "retuned.yaml:3: dead_letters.among: retention.dead_letters (10000) must be"),
        ("policy:\n  on_drift: true\nledger_url: postgresql://db/x\n", "retuned.yaml:4: ledger_url: replicas share"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_at_the_line_of_its_setting(tmp_path: Path, text: str, problem: str) -> None:
    (line,) = told(tmp_path, f"model: {{base: b}}\n{text}")

    assert line.startswith(problem)


def test_a_contradiction_by_the_environment_names_its_variable(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, "model: {base: b}\n", {"RETUNED_KAFKA__HEARTBEAT_INTERVAL_MS": "9000"})

    assert mistake.source == "RETUNED_KAFKA__HEARTBEAT_INTERVAL_MS"


def test_a_bad_item_of_a_list_is_told_at_its_line_or_variable(tmp_path: Path) -> None:
    text = "model: {base: b}\nkafka:\n  bootstrap_servers:\n  - k1:9092\n  - k2:port\n"

    assert told(tmp_path, text) == [
        "retuned.yaml:5: kafka.bootstrap_servers.1: must be host:port, such as kafka-1:9092 or [::1]:9092"
    ]
    (mistake,) = mistakes(tmp_path, "model: {base: b}\n", {"RETUNED_KAFKA_BOOTSTRAP_SERVERS": "k1:1,k2:x"})
    assert mistake.source == "RETUNED_KAFKA_BOOTSTRAP_SERVERS"
