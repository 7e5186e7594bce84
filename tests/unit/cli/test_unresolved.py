"""A change that a training did not answer: status names it, and every command that it prints works."""

import re
from pathlib import Path

import pytest

from daemon.domain.runs import RunState
from daemon.release.orders import reject_version
from registry.types import Actor, GateVerdict
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line

ADA = Actor(kind="operator", name="ada")


def rejected_by_the_gate(line: Line) -> None:
    line.gate(line.candidate(), GateVerdict.REJECT)


def given_up(line: Line) -> None:
    name = line.candidate()
    for _ in range(line.settings.gate.max_looks):
        line.gate(name, GateVerdict.INCONCLUSIVE)


def rejected_by_an_operator(line: Line) -> None:
    reject_version(line.stores, line.candidate(), reason="rude", by=ADA, clock=line.clock)


def failed(line: Line) -> None:
    run = line.start_run(line.drift())
    line.stores.runs.end(run.id, RunState.FAILED, now=line.clock(), error="Diverged: loss is nan")


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (rejected_by_the_gate, "the gate rejected support-bot-v1"),
        (given_up, "the gate could not decide on support-bot-v1"),
        (rejected_by_an_operator, "support-bot-v1 was rejected by ada: rude"),
        (failed, "run r1, which was to learn from it, did not finish (Diverged: loss is nan)"),
    ],
)
def test_status_and_why_name_it_and_what_they_print_works(
    tmp_path: Path, happened: object, words: str
) -> None:
    line = a_line(tmp_path)
    assert callable(happened)
    happened(line)

    status = " ".join(type_to(line, "status").stdout.split())
    why = type_to(line, "why", "--not", "--json").document["lately"]["situation"]

    assert words in status
    assert words in why["sentence"]
    assert not status.startswith("All is well")
    commands = re.findall(r"`retuned ([^`]+)`", why["remedy"])
    assert commands
    for command in commands:
        done = type_to(line, *command.replace("REASON", "so").split())
        assert done.exit_code == 0, done.stderr


def test_accepting_the_change_as_the_reference_ends_it(tmp_path: Path) -> None:
    line = a_line(tmp_path)
    rejected_by_the_gate(line)

    done = type_to(line, "reference", "set", "--last", "50", "-m", "this is what users want now")
    after = type_to(line, "status", "--json").document["overview"]["situation"]

    assert done.exit_code == 0
    assert after["state"] == "stable"
