import json
from pathlib import Path

import pytest

from tests.factories.cli import typed
from tests.factories.formats import PLAIN, litellm, native, pair


def a_log(folder: Path, *lines: object, name: str = "sample.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RETUNED_CONFIG", raising=False)


def test_a_log_is_shown_format_by_format_without_settings(tmp_path: Path) -> None:
    log = a_log(tmp_path, pair(PLAIN), litellm(PLAIN), litellm(PLAIN) | {"id": "a-2"})

    answer = typed("ingest", "check", log, "--json")

    assert (answer.exit_code, answer.document["conversations"]) == (0, 3)
    assert [(one["format"], one["records"]) for one in answer.document["formats"]] == [
        ("litellm", 2),
        ("pair", 1),
    ]


def test_what_is_refused_or_passed_over_is_counted_by_reason_and_field(tmp_path: Path) -> None:
    failed = litellm(PLAIN) | {"status": "failure"}
    log = a_log(tmp_path, native(PLAIN), native(PLAIN) | {"messages": 7}, failed, failed, {"x": 1})

    answer = typed("ingest", "check", log, "--json")
    found = {one["format"]: one for one in answer.document["formats"]}

    assert (answer.exit_code, answer.document["refused"], answer.document["passed_over"]) == (1, 2, 2)
    assert found["native"]["refused"][0] | {"message": ""} == {
        "reason": "bad_field", "field": "messages", "message": "", "line": 2, "count": 1,
    }  # fmt: skip
    assert (found["litellm"]["passed_over"][0]["reason"], found["litellm"]["passed_over"][0]["count"]) == (
        "failed",
        2,
    )
    assert found["unknown"]["refused"][0]["reason"] == "unknown_shape"


def test_examples_show_turns_and_no_users(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "I am ada@example.com"},
        {"role": "assistant", "content": "Hello Ada"},
    ]
    log = a_log(tmp_path, native(PLAIN) | {"user_id": "secret-user", "messages": turns})

    screen = typed("ingest", "check", log).stdout

    assert "s***" in screen
    assert "I am [EMAIL]" in screen
    assert "secret-user" not in screen


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    log = a_log(tmp_path, {"messages": native(PLAIN)["messages"]})

    found = typed("ingest", "check", log, "--json").document["formats"][0]

    assert (found["without_user"], found["without_session"], found["without_time"]) == (1, 1, 1)
    assert "forget --user" in typed("ingest", "check", log).stdout


def test_a_named_format_refuses_all_others(tmp_path: Path) -> None:
    answer = typed("ingest", "check", a_log(tmp_path, pair(PLAIN)), "--format", "litellm", "--json")

    assert (answer.exit_code, answer.document["refused"]) == (1, 1)


def test_a_format_that_is_none_is_misuse(tmp_path: Path) -> None:
    answer = typed("ingest", "check", a_log(tmp_path), "--format", "lite", "--json")

    assert (answer.exit_code, answer.error["kind"]) == (2, "Misuse")


def test_one_list_over_several_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([pair(PLAIN), native(PLAIN)], indent=2), encoding="utf-8")

    assert typed("ingest", "check", str(path), "--json").document["conversations"] == 2


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    answer = typed("ingest", "check", a_log(tmp_path))

    assert answer.exit_code == 1
    assert "the file is empty" in answer.stdout
