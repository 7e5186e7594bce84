"""What scripts rely on: one object with a schema, --yes, pipes, widths, completion."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from daemon.cli.app import app
from tests.factories.cli import type_to, typed
from tests.factories.daemon import Line, a_line

ESCAPE = "\x1b"


@pytest.fixture
def line(tmp_path: Path) -> Line:
    made = a_line(tmp_path)
    made.promoted()
    return made


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command."""
    children = getattr(command, "commands", None)
    if not children:
        return [path]
    return [found for name, child in children.items() for found in commands(child, (*path, name))]


COMMANDS = commands(typer.main.get_command(app))
#: What a command needs to be typed completely.
ARGUMENTS = {
    ("show",): ("v1",), ("lineage",): ("v1",), ("deadletters", "show"): ("1",), ("promote",): ("v0", "--force", "-m", "x"),
    ("rollback",): ("-m", "x"), ("train",): ("-m", "x"), ("forget",): ("--user", "u", "-m", "x", "--yes"),
    ("hold",): ("-m", "x"), ("pause",): ("-m", "x"), ("intake", "halt"): ("-m", "x"), ("reference", "freeze"): ("-m", "x"), ("reference", "set"): ("--last", "60"),
    ("drift", "report"): ("-o", "page.html"), ("reference", "unfreeze"): (),
}  # fmt: skip
ANSWERS = [
    ("status",), ("versions",), ("show",), ("history",), ("why",), ("lineage",), ("erasures",), ("promote",),
    ("rollback",), ("train",), ("forget",), ("drift", "show"), ("drift", "report"), ("reference", "show"),
    ("reference", "set"), ("reference", "freeze"), ("hold",), ("pause",), ("intake", "show"), ("intake", "halt"), ("deadletters", "list"),
    ("deadletters", "show"), ("config", "check"), ("config", "show"), ("config", "schema"), ("doctor",),
]  # fmt: skip


#: Prints lines of JSON, and nothing else: no person types it.
OF_PODS = ("train-job",)


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != OF_PODS], ids=" ".join)
def test_every_command_takes_json(words: tuple[str, ...]) -> None:
    assert "--json" in typed(*words, "--help").stdout


# kafka-python leaves the sockets of connections that were refused to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_an_answer_is_an_object_that_names_its_schema(
    line: Line, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    document = type_to(line, *words, *ARGUMENTS.get(words, ()), "--json").document

    assert document["schema"] == f"retuned.{'.'.join(words)}/1"
    assert next(iter(document)) == "schema"
    assert len(document) > 1


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        (("show", "v9"), "VersionNotFound", 2),
        (("intake", "resume", "-m", "x"), "NothingHalted", 3),
        (("staus",), "UsageError", 2),
        (("rollback",), "MissingParameter", 2),
        (("--bogus", "status"), "NoSuchOption", 2),
        (("forget", "--user", "u", "-m", "x"), "NotConfirmed", 3),
    ],
)
def test_an_error_is_an_object_that_names_its_schema(
    line: Line, words: tuple[str, ...], kind: str, code: int
) -> None:
    answer = type_to(line, *words, "--json")

    found = json.loads(answer.stderr)
    assert (found["schema"], found["error"]["kind"]) == ("retuned.error/1", kind)
    assert answer.exit_code == found["error"]["exit_code"] == code
    assert answer.stdout == ""


def test_mistakes_in_the_settings_are_an_object_too(tmp_path: Path) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text("model: {base: x}\nwindows: {size: 1}\n", encoding="utf-8")

    error = typed("--config", str(file), "config", "check", "--json").error

    assert error["mistakes"] == [
        {"path": "windows.size", "problem": "must be at least 20", "source": f"{file}:2"}
    ]


@pytest.mark.parametrize("stdin", ["", "n\n"], ids=["end of input", "no"])
def test_what_is_not_confirmed_is_refused_and_not_done(line: Line, stdin: str) -> None:
    words = ("--config", str(line.config), "forget", "--conversation", "c1", "-m", "x")

    answer = typed(*words, stdin=stdin)

    assert answer.exit_code == 3
    assert "not confirmed" in answer.stderr
    assert line.stores.erasures.count() == 0


def test_json_does_not_mean_yes(line: Line) -> None:
    refused = type_to(line, "forget", "--conversation", "c1", "-m", "x", "--json")

    assert "--yes" in refused.error["message"]
    assert line.stores.erasures.count() == 0
    assert type_to(line, "forget", "--conversation", "c1", "-m", "x", "--json", "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("option", "named"), [("--user", "user 张三"), ("--conversation", "conversation 张三")]
)
def test_forgetting_who_is_unknown_says_so_and_what_it_did(line: Line, option: str, named: str) -> None:
    shown = " ".join(type_to(line, "forget", option, "张三", "-m", "x", "--yes").stdout.split())

    assert f"Nothing of {named} is in the ledger; records that come later will be dropped." in shown
    assert "Proof: entry 1" in shown
    assert type_to(line, "forget", option, "李四", "-m", "x", "--yes", "--json").document["found"] is False


def shell(line: Line, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command, in which $RETUNED is the command line of this line."""
    words = f"{sys.executable} -m daemon --config {line.config}"
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        capture_output=True, text=True, check=False, timeout=60,
        env={**{name: text for name, text in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")},
             "RETUNED": words, "PYTHONWARNINGS": "error", **environ},
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    ["config show --comments", "config schema", "config schema --json", "versions --json", "status", "history", "why"],
)  # fmt: skip
def test_a_reader_that_goes_ends_a_command_quietly(line: Line, command: str) -> None:
    done = shell(line, f"$RETUNED {command} | true")

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_works_without_output(line: Line, closed: str) -> None:
    done = shell(line, f"$RETUNED train -m x {closed}", PYTHONWARNINGS="")

    assert (done.returncode, done.stderr) == (0, "")
    assert line.stores.decisions.open_request() is not None


def test_a_reader_that_goes_changes_no_exit_code(line: Line) -> None:
    done = shell(line, "$RETUNED doctor --json | true", PYTHONWARNINGS="")

    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("command", ["status", "versions", "history", "why", "doctor", "--help"])
def test_a_pipe_gets_no_colours_and_no_line_beyond_its_columns(line: Line, command: str) -> None:
    done = shell(line, f"$RETUNED {command} | cat", COLUMNS="60")

    assert done.stdout
    assert ESCAPE not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60


@pytest.mark.parametrize("columns", ["0", "-3", "many", ""])
def test_columns_that_are_no_width_are_passed_over(line: Line, columns: str) -> None:
    done = shell(line, "$RETUNED status", COLUMNS=columns)

    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) > 20


def test_no_color_prints_plain_text_on_a_terminal(line: Line) -> None:
    plain = shell(line, "$RETUNED status", NO_COLOR="1", FORCE_COLOR="1", TERM="xterm")
    coloured = shell(line, "$RETUNED status", FORCE_COLOR="1", TERM="xterm")

    assert ESCAPE not in plain.stdout
    assert ESCAPE in coloured.stdout


def completed(line: Line, words: str, **environ: str) -> list[str]:
    """What bash is offered after these words."""
    count = str(len(words.split(" ")) - 1)
    variables = {"_RETUNED_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": count}
    done = shell(line, f"{sys.executable} -m daemon", **variables, **environ)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("command", ["show", "promote", "rollback", "why", "lineage"])
def test_the_shell_completes_versions(line: Line, command: str) -> None:
    offered = completed(line, f"retuned --config {line.config} {command} ")

    assert offered == ["v1", "v0"]
    assert completed(line, f"retuned {command} support", RETUNED_CONFIG=str(line.config)) == [
        "support-bot-v1",
        "support-bot-v0",
    ]


def test_the_shell_completes_commands(line: Line) -> None:
    assert "status" in completed(line, "retuned sta")


def test_a_shell_that_completes_sees_no_error(line: Line) -> None:
    assert completed(line, "retuned --config /none.yaml show ") == []


def test_completion_is_shown_for_the_shell(line: Line) -> None:
    alone = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # the test's shell is not the operator's

    done = shell(line, f"{sys.executable} -m daemon --show-completion bash", **alone)

    assert "_RETUNED_COMPLETE=complete_bash" in done.stdout
