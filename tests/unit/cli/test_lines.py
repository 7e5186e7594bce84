"""Commands where the settings file has several model lines."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.doctor import command
from daemon.cli.doctor.check import Check
from daemon.config.settings import Settings
from tests.factories.cli import Typed, type_to, typed
from tests.factories.daemon import LINE, a_line
from tests.factories.lines import Lines, lines_file, some_lines


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return some_lines(tmp_path)


def ask(lines: Lines, *words: str, line: str | None = None) -> Typed:
    named = () if line is None else ("--line", line)
    return typed("--config", str(lines.config), *named, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("why",),
        ("history",),
        ("show", "v0"),
        ("rollback", "-m", "x"),
        ("train", "-m", "x"),
        ("hold", "-m", "x"),
        ("forget", "--user", "u", "-m", "x"),
        ("intake", "show"),
        ("deadletters", "list"),
        ("drift", "show"),
        ("backup", "x.backup"),
    ],
)
def test_a_command_about_one_line_says_which_there_are(lines: Lines, words: tuple[str, ...]) -> None:
    answer = ask(lines, *words, "--json")

    assert (answer.exit_code, answer.error["kind"]) == (2, "SeveralLines")
    assert answer.error["message"].endswith(
        "has the model lines support-bot, sales; name one of them with --line"
    )


def test_a_command_about_one_line_reads_and_changes_that_line_alone(lines: Lines) -> None:
    assert ask(lines, "hold", "-m", "holidays", line="sales").exit_code == 0

    held = {name: found["overview"]["orders"]["hold"] for name, found in statuses(lines).items()}

    assert held["support-bot"] is None
    assert held["sales"]["reason"] == "holidays"
    assert ask(lines, "versions", "--json", line="sales").document["versions"][0]["name"] == "sales-v0"


def test_the_line_may_come_after_the_command_or_from_the_environment(lines: Lines) -> None:
    after = typed("history", "--line", "sales", "--config", str(lines.config), "--json")
    from_environment = typed(
        "history", "--json", "--config", str(lines.config), environ={"RETUNED_LINE": "sales"}
    )

    assert after.exit_code == 0
    assert after.document == from_environment.document


def test_a_line_that_is_not_there_is_refused_naming_those_that_are(lines: Lines) -> None:
    answer = ask(lines, "status", "--json", line="chat")

    assert (answer.exit_code, answer.error["kind"]) == (2, "NoSuchLine")
    assert answer.error["message"].endswith("has no model line chat; it has support-bot, sales")


def test_a_file_of_one_line_takes_its_name_alone(tmp_path: Path) -> None:
    line = a_line(tmp_path)

    assert type_to(line, "versions", "--line", LINE).exit_code == 0
    assert type_to(line, "versions", "--line", "sales").exit_code == 2


def statuses(lines: Lines) -> dict[str, Any]:
    found: dict[str, Any] = ask(lines, "status", "--json").document["lines"]
    return found


def test_status_and_versions_show_every_line_in_turn(lines: Lines) -> None:
    screen = ask(lines, "versions").stdout.splitlines()

    assert [row for row in screen if row in ("support-bot", "sales")] == ["support-bot", "sales"]
    assert list(statuses(lines)) == ["support-bot", "sales"]
    assert {
        name: [row["name"] for row in found["versions"]]
        for name, found in ask(lines, "versions", "--json").document["lines"].items()
    } == {"support-bot": ["support-bot-v0"], "sales": ["sales-v0"]}


def test_a_line_that_can_not_be_read_does_not_hide_the_others(lines: Lines) -> None:
    (lines.settings["sales"].state_dir / "ledger.db").write_bytes(b"no database, though quite long" * 200)

    document, screen = ask(lines, "versions", "--json"), ask(lines, "versions")

    assert (document.exit_code, screen.exit_code) == (1, 1)
    assert document.document["lines"]["support-bot"]["total"] == 1
    assert document.document["lines"]["sales"]["error"]["kind"] == "LedgerLost"
    assert "support-bot-v0" in screen.stdout


def test_the_settings_of_every_line_are_checked_and_shown(tmp_path: Path) -> None:
    lines = lines_file(tmp_path)

    checked, shown = ask(lines, "config", "check", "--json"), ask(lines, "config", "show", "--json")

    assert checked.document["lines"] == ["support-bot", "sales"]
    assert {name: settings["kafka"]["topic"] for name, settings in shown.document["lines"].items()} == {
        "support-bot": "support-bot",
        "sales": "sales",
    }
    assert ask(lines, "config", "show").stdout.count("\nmodel_line: ") == 2
    assert "model_line: sales" in ask(lines, "config", "show", line="sales").stdout


def test_doctor_examines_every_line_and_fails_for_one_that_fails(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checks(settings: Settings, **_: object) -> Iterator[tuple[str, Callable[[], list[Check]]]]:
        ok = settings.model_line == "sales"
        yield "topic", lambda: [Check(subject="topic", ok=ok, found=settings.kafka.topic)]

    monkeypatch.setattr(command, "_checks", checks)

    answer = ask(lines, "doctor", "--json")

    found = answer.document["lines"]
    assert answer.exit_code == 1
    assert {name: each["ok"] for name, each in found.items()} == {"support-bot": False, "sales": True}
    assert found["sales"]["checks"][0]["found"] == "sales"
