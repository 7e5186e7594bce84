"""Every remedy that the code can print can be typed, and has a test that follows it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from daemon.cli.app import app
from daemon.config.settings import Settings
from tests.remedies.cases import covered
from tests.remedies.collecting import Remedy, changes, commands, commands_in, instructions, options_in, texts

#: What stands for a value in a command, and what a test may put there.
_VALUES = {
    "{}": "5", "REASON": "so", "FILE": "f", "VERSION": "v1", "N": "5", "ID": "5", "v{}": "v1", "{}/{}": "t/0",
    "FIRST": "5", "SECOND": "6",
}  # fmt: skip

#: Files of which no remedy is followed here, and why.
ELSEWHERE: Mapping[str, str] = {
    "daemon/kafka/refusals.py": "of a broker with TLS: tests/integration/test_tls.py, tests/integration/test_sasl.py",
    "daemon/kafka/token_endpoint.py": "of a token server: tests/integration/test_token_endpoint.py",
    "daemon/kafka/schema_registry.py": "of a schema registry: tests/unit/intake/test_avro.py",
    "daemon/cli/doctor/schema_registry.py": "of a schema registry: tests/unit/intake/test_avro.py",
    **dict.fromkeys(
        (
            "daemon/teaching/body.py",
            "daemon/teaching/client.py",
            "daemon/teaching/replies.py",
            "daemon/teaching/stage.py",
            "daemon/cli/doctor/teacher.py",
        ),
        "of an endpoint: tests/unit/teaching/test_client.py, tests/integration/test_teacher.py",
    ),
    **dict.fromkeys(
        (
            "daemon/cli/doctor/cluster.py",
            "daemon/cluster/api.py",
            "daemon/cluster/diagnosis.py",
            "daemon/cluster/lifecycle.py",
            "daemon/cluster/manifest.py",
            "daemon/cluster/template.py",
        ),
        "of a cluster: tests/unit/cluster, tests/unit/cli/test_doctor_cluster.py, tests/contracts/test_cluster.py",
    ),
    **dict.fromkeys(
        ("daemon/cli/doctor/tracing.py", "daemon/telemetry/otlp.py"),
        "of a collector: tests/unit/cli/test_doctor.py, tests/unit/telemetry/test_otlp.py",
    ),
    "daemon/cli/doctor/settings.py": "of a running daemon: tests/e2e/test_reload.py, tests/unit/runtime/test_settings_reload.py",
    "daemon/cli/render/teacher.py": "of an endpoint: tests/integration/test_teacher.py",
    "daemon/ledger/teacher.py": "of an endpoint: tests/unit/cli/test_teacher.py",
    "daemon/domain/os_errors.py": "done with the system's tools; tests/unit/domain/test_os_errors.py has the errors",
    "daemon/views/concerns.py": "shows more of what is not broken: tests/unit/views/test_concerns.py",
    "daemon/cli/init.py": "about commands that start something: tests/integration/test_try_broker.py",
    "daemon/cli/doctor/broker.py": "needs a broker: tests/contracts/test_topics.py, tests/integration/test_rights.py",
    "daemon/cli/doctor/check.py": "about a broken installation, or a bug",
    "monitors/bench/contenders.py": "the name of a detector",
    "daemon/telemetry/release_metrics.py": "the meaning of a metric",
    "daemon/telemetry/drift_metrics.py": "the meaning of a metric",
}
#: Remedies that are not followed here, and why.
_START = "starts the daemon, which tests/e2e does"
_SERVER = "of PostgreSQL: tests/contracts/test_ledger_faults.py"
_SYSTEM = "done with the system's tools: tests/contracts/test_ledger_faults.py has the errors"
APART: Mapping[Remedy, str] = {
    Remedy("daemon/domain/halts.py", "raise kafka.max_batch_bytes"): "read by the Kafka client: tests/integration/test_compression.py",
    **{
        Remedy(path, "retuned run"): _START
        for path in (
            "daemon/cli/backup.py", "daemon/cli/doctor/machine.py", "daemon/cli/doctor/stores.py",
            "daemon/cli/reference.py", "daemon/cli/render/migration.py", "daemon/cli/render/references.py", "daemon/cli/render/status.py",
            "daemon/cli/render/status_summary.py", "daemon/cli/render/versions.py",
        )
    },
    **{
        Remedy("daemon/ledger/faults.py", text): _SERVER
        for text in (
            "grant the user of ledger_url its rights", "the server ended a transaction that was idle",
            "the server takes no writes: it is a standby",
        )
    },
    **{
        Remedy("daemon/ledger/faults.py", text): _SYSTEM
        for text in (
            "check its disk", "check that its folder is there and may be written", "free some memory",
            "make the file and its folder writable",
        )
    },
    **{
        Remedy("daemon/runtime/fresh_ledger.py", text): "with settings of several lines: tests/contracts/test_from_one_line_to_several.py"
        for text in ("retuned backup FILE", "retuned restore FILE")
    },
    Remedy("daemon/domain/streams.py", "retuned doctor --create-topics"): "needs a broker: tests/contracts/test_topics.py",
    Remedy("daemon/cli/doctor/machine.py", "repair the component named; the daemon's log has the details"): (
        "names a component, whose own problem names the remedy"
    ),
    Remedy("daemon/cli/render/status_summary.py", "retuned doctor"): "test_states.py follows what the doctor says",
    Remedy("daemon/cli/doctor/stores.py", "retuned forget --user"): "says what it does not find",
    Remedy("daemon/cli/render/ingest.py", "retuned forget --user"): "says what it does not find",
}  # fmt: skip

#: Options of other programs, and of processes that no person starts.
_FOREIGN = (
    "kafka-acls", "pip install", "pip uninstall", "--stop-with-stdin", "python -m",
)  # fmt: skip


def _words(command: str) -> list[str]:
    words = command.replace("v{}{}", "v{}").split()
    return [_VALUES.get(word, word) for word in words]


#: Named as what somebody did before, or as what a text is about: which options it takes depends on that.
_MENTIONED = ("backup", "forget", "forget --user", "hold", "unhold")


@pytest.mark.parametrize(
    "command",
    sorted({command for text in texts() if text.path not in ELSEWHERE for command in commands_in(text.text)}),
)
def test_a_command_that_is_named_can_be_typed(command: str) -> None:
    """With the options and arguments that it has there."""
    found: Any = typer.main.get_command(app)
    words = _words(command)
    while hasattr(found, "commands") and words:
        assert words[0] in found.commands, f"there is no command {command}"
        found = found.commands[words.pop(0)]
    if command not in _MENTIONED:
        found.make_context(command, words)


def _options() -> set[str]:
    found: set[str] = {"--help"}

    def walk(command: object) -> None:
        for parameter in getattr(command, "params", ()):
            found.update(getattr(parameter, "opts", ()))
        for child in getattr(command, "commands", {}).values():
            walk(child)

    walk(typer.main.get_command(app))
    return found


def test_an_option_that_is_named_exists() -> None:
    known = _options()

    unknown = {
        f"{text.path}:{text.line} {option}"
        for text in texts()
        if not text.declares and not any(foreign in text.text for foreign in _FOREIGN)
        for option in options_in(text.text)
        if option not in known
    }

    assert unknown == set()


def _settings(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _settings(inner, f"{path}{name}.")


def test_a_setting_that_is_named_exists() -> None:
    known = set(_settings(Settings))
    sections = {name for name in known if any(other.startswith(f"{name}.") for other in known)} - {
        "http",
        "learning",
    }
    named = re.compile(
        rf"(?<![\w./`-])({'|'.join(sorted(sections, key=len, reverse=True))})\.([a-z_]+)(?![\w.(/])"
    )

    unknown = {
        f"{text.path}:{text.line} {found[0]}"
        for text in texts()
        if " " in text.text and ".py" not in text.text
        for found in named.finditer(text.text)
        if found[0] not in known and not any(name.startswith(f"{found[0]}_") for name in known)
    }

    assert unknown == set()


def test_every_remedy_is_followed_by_a_test() -> None:
    printed = {remedy for remedy in commands() | instructions() | changes() if remedy.path not in ELSEWHERE}
    followed = covered()

    assert sorted(printed - followed - APART.keys()) == []
    assert sorted(followed - printed) == [], "nothing prints these any more"
    assert sorted(APART.keys() - printed) == []
    assert sorted(followed & APART.keys()) == []


def test_the_search_finds_commands_options_and_instructions() -> None:
    assert list(commands_in("do `retuned a --b` or `pip x`")) == ["a --b"]
    assert list(commands_in("retuned a {}")) == ["a {}"]
    assert options_in("use --all or --json; not a--b") == ["--all", "--json"]
    assert len(commands()) > 90
    assert len(instructions()) > 40
