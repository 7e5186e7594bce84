"""Several model lines in one settings file."""

from pathlib import Path

import pytest

from daemon.config.loader import SettingsError, has_lines, load, load_again, load_lines
from daemon.config.mistakes import SeveralLines

TWO = """
model: {base: /models/chat}
kafka: {bootstrap_servers: [broker:9092], topic: chats}
policy: {min_new_lessons: 40}
lines:
  support-bot:
    kafka: {topic: support}
  sales:
    model: {base: /models/sales}
    policy:
      min_new_lessons: 7
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "retuned.yaml"


def mistakes(file: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        load_lines(file, environ or {})
    return [str(mistake).removeprefix(f"{file.parent}/") for mistake in raised.value.mistakes]


def test_a_line_has_the_settings_of_the_file_overlaid_with_its_own(file: Path) -> None:
    file.write_text(TWO)

    lines = load_lines(file, {})

    assert list(lines) == ["support-bot", "sales"]
    support, sales = lines.values()
    assert (support.model_line, sales.model_line) == ("support-bot", "sales")
    assert (support.model.base, sales.model.base) == ("/models/chat", "/models/sales")
    assert (support.kafka.topic, sales.kafka.topic) == ("support", "chats")
    assert (support.policy.min_new_lessons, sales.policy.min_new_lessons) == (40, 7)
    assert sales.kafka.bootstrap_servers == ("broker:9092",)


def test_lines_keep_apart_what_each_keeps(file: Path) -> None:
    file.write_text("state_dir: /srv/state\ntarget_dir: /srv/target\n" + TWO)

    support, sales = load_lines(file, {}).values()

    assert (support.state_dir, sales.state_dir) == (
        Path("/srv/state/lines/support-bot"),
        Path("/srv/state/lines/sales"),
    )
    assert (support.target_dir, sales.target_dir) == (
        Path("/srv/target/lines/support-bot"),
        Path("/srv/target/lines/sales"),
    )
    assert (support.kafka.group_id, sales.kafka.group_id) == ("retuned-support-bot", "retuned-sales")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////srv/ledger.db", "sqlite:////srv/lines/support-bot/ledger.db"),
        ("sqlite:///ledger.db", "sqlite:///lines/support-bot/ledger.db"),
        (
            "postgresql://u:p@db/retuned",
            "postgresql://u:p@db/retuned?options=-csearch_path%3Dretuned_support_bot",
        ),
        (
            "postgresql://u@db/retuned?sslmode=require",
            "postgresql://u@db/retuned?sslmode=require&options=-csearch_path%3Dretuned_support_bot",
        ),
    ],
)
def test_one_ledger_url_is_a_ledger_for_each_line(file: Path, url: str, expected: str) -> None:
    shared = "artifacts_url: file:///srv/artifacts\nholdout: {key_file: /srv/key}\n"
    file.write_text(f"ledger_url: {url}\n{shared}{TWO}")

    support, _ = load_lines(file, {}).values()

    assert support.ledger_url == expected
    assert support.artifacts_url == "file:///srv/artifacts"
    assert support.holdout.key_file == Path("/srv/key")


def test_what_a_line_names_itself_is_taken_as_it_stands(file: Path) -> None:
    file.write_text(TWO + "    target_dir: /srv/sales\n    kafka: {group_id: shop}\n")

    sales = load_lines(file, {})["sales"]

    assert (sales.target_dir, sales.kafka.group_id) == (Path("/srv/sales"), "shop")


def test_the_environment_sets_what_lines_share_and_no_line(file: Path) -> None:
    file.write_text(TWO)
    environ = {
        "RETUNED_KAFKA__TOPIC": "other",
        "RETUNED_KAFKA__GROUP_ID": "group",
        "RETUNED_LINE": "sales",
    }

    support, sales = load_lines(file, environ).values()

    assert (support.kafka.topic, sales.kafka.topic) == ("support", "other")
    assert (support.kafka.group_id, sales.kafka.group_id) == ("group-support-bot", "group-sales")


def test_a_file_without_lines_is_one_line_whose_places_stay(file: Path) -> None:
    file.write_text("model_line: bot\nmodel: {base: /m}\nstate_dir: /srv\ntarget_dir: /t\n")

    settings = load_lines(file, {})["bot"]

    assert settings == load(file, {})
    assert (settings.state_dir, settings.target_dir, settings.ledger_url) == (Path("/srv"), Path("/t"), None)
    assert settings.kafka.group_id == "retuned"


@pytest.mark.parametrize("none", ["lines: {}", "lines:"])
def test_no_lines_are_as_none_named(file: Path, none: str) -> None:
    file.write_text(f"model: {{base: /m}}\n{none}\n")

    assert load(file, {}).state_dir == Path(".state")


def test_a_file_of_several_lines_has_no_settings_of_one(file: Path) -> None:
    file.write_text(TWO)

    with pytest.raises(SeveralLines, match="support-bot, sales; name one of them with --line"):
        load(file, {})


def test_all_mistakes_of_all_lines_are_said_at_their_places(file: Path) -> None:
    text = """
policy: {min_new_lessons: none}
lines:
  chat:
    model: {base: /m}
    kafka: {topics: chats}
  sales:
    windows: {size: 0}
"""
    assert mistakes(file, text) == [
        "retuned.yaml:6: lines.chat.kafka.topics: there is no such setting; did you mean topic?",
        "retuned.yaml:2: policy.min_new_lessons: must be a whole number",
        "retuned.yaml:7: lines.sales.model: is needed: The base model that the daemon keeps tuned.",
        "retuned.yaml:8: lines.sales.windows.size: must be at least 20",
    ]


def test_a_contradiction_is_said_where_the_line_makes_it(file: Path) -> None:
    text = (
        "model: {base: /m}\nkafka: {session_timeout_ms: 9000}\n"
        "lines:\n  chat:\n    kafka:\n      heartbeat_interval_ms: 5000\n  sales:\n"
    )
    assert mistakes(file, text) == [
        "retuned.yaml:6: lines.chat.kafka.heartbeat_interval_ms: must be at most a third of session_timeout_ms"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lines: [chat]", "1: lines: must map the name of each model line to its settings"),
        (
            "lines:\n  Chat: {}\n",
            (
                "2: lines.Chat: is no name of a model line: it has lowercase letters, digits and dashes, at most 55 of them; "
                "write a number in quotes"
            ),
        ),
        (
            "lines:\n  chat: 5\n",
            "2: lines.chat: must be a mapping of settings, such as model: {base: /models/sales}",
        ),
        (
            "lines:\n  chat:\n    http: {port: 1}\n",
            "3: lines.chat.http: is one for all lines of the daemon; set it outside of lines",
        ),
        (
            "model_line: chat\nlines:\n  chat:\n",
            "1: model_line: can't be set beside lines, which name themselves; leave it out",
        ),
        (
            (
                "model: {base: /m}\nlines:\n  chat:\n    kafka: {group_id: g}\n"
                "  sales:\n    kafka: {group_id: g}\n"
            ),
            (
                "6: lines.sales.kafka.group_id: the line chat is in the consumer group g, too: they would take partitions "
                "from each other; give each its own, or leave it out"
            ),
        ),
        (
            "model: {base: /m}\nlines:\n  chat:\n    target_dir: /t\n  sales:\n    target_dir: /t\n",
            "6: lines.sales.target_dir: the line chat writes its live.json there; name another folder",
        ),
    ],
)
def test_lines_that_can_not_be_told_apart_are_mistakes(file: Path, text: str, expected: str) -> None:
    assert mistakes(file, text) == [f"retuned.yaml:{expected}"]


def test_a_variable_that_names_the_line_is_a_mistake_beside_lines(file: Path) -> None:
    assert mistakes(file, TWO, {"RETUNED_MODEL_LINE": "chat"}) == [
        "RETUNED_MODEL_LINE: model_line: can't be set beside lines, which name themselves; leave it out"
    ]


def test_a_line_that_is_gone_is_a_mistake_when_a_daemon_reads_its_settings_again(file: Path) -> None:
    file.write_text(TWO)
    assert load_again(file, "sales").model_line == "sales"

    file.write_text(TWO.replace("  sales:", "  shop:"))

    with pytest.raises(SettingsError, match=r"lines: .* has no model line sales; it has support-bot, shop"):
        load_again(file, "sales")
    with pytest.raises(SettingsError, match="name one of them with --line"):
        load_again(file, None)


def test_whether_a_file_has_lines(file: Path) -> None:
    file.write_text(TWO)
    assert has_lines(file)

    file.write_text("model: {base: /m}\nlines: {}\n")
    assert not has_lines(file)
