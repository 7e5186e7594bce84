from pathlib import Path

import pytest

from daemon.domain.clock import utc_now
from daemon.domain.halts import Halt, HaltKind
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line
from tests.factories.ledger import a_batch, a_dead_letter


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def halted(line: Line) -> None:
    line.stores.halts.halt(Halt(kind=HaltKind.OFFSET_LOST, reason="offset 7 is gone", at=utc_now()))


def test_show_tells_what_intake_waits_for(line: Line) -> None:
    halted(line)

    assert "offset 7 is gone" in type_to(line, "intake", "show").stdout
    assert type_to(line, "intake", "show", "--json").document["halt"]["kind"] == "offset_lost"


def test_halt_and_resume(line: Line) -> None:
    type_to(line, "intake", "halt", "-m", "maintenance")
    assert line.stores.halts.current() is not None

    answer = type_to(line, "intake", "resume", "-m", "done")

    assert "Intake is resumed" in answer.stdout
    assert line.stores.halts.current() is None


def test_seek_moves_a_partition_and_resumes(line: Line) -> None:
    halted(line)

    answer = type_to(line, "intake", "seek", "conversations/3", "0", "-m", "made anew")

    assert "conversations/3 is read from 0 on" in answer.stdout
    assert line.stores.intake.next_offsets()["conversations", 3] == 0
    assert "conversations/3, nothing -> 0" in type_to(line, "intake", "show").stdout


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("resume", "-m", "x"), "NothingHalted"),
        (("seek", "conversations/0", "0", "-m", "x"), "NothingHalted"),
        (("seek", "other/0", "0", "-m", "x"), "BadPlace"),
        (("seek", "conversations", "0", "-m", "x"), "BadPlace"),
    ],
)
def test_refusals_are_named(line: Line, words: tuple[str, ...], kind: str) -> None:
    assert type_to(line, "intake", *words, "--json").error["kind"] == kind


def test_dead_letters_are_listed_by_reason_without_their_bytes(line: Line) -> None:
    line.stores.intake.record(a_batch(dead_letters=[a_dead_letter(900), a_dead_letter(901)]))

    listed = type_to(line, "deadletters", "list", "--json").document

    assert listed["by_reason"] == {"not_json": 3}  # one is there already
    assert [found["letter"]["at"]["offset"] for found in listed["dead_letters"]][:2] == [901, 900]
    assert "value" not in listed["dead_letters"][0]["letter"]
    assert "3 dead letters: 3 not_json" in type_to(line, "deadletters", "list").stdout


def test_one_dead_letter_is_shown_so_that_it_can_not_steer_the_terminal(line: Line, tmp_path: Path) -> None:
    line.stores.intake.record(a_batch(dead_letters=[a_dead_letter(900)]))
    number = str(line.stores.dead_letters.newest(1)[0].id)

    shown = type_to(line, "deadletters", "show", number, "--raw", str(tmp_path / "raw")).stdout

    assert "not_json" in shown
    assert (tmp_path / "raw").read_bytes() == b"\xff"


@pytest.mark.parametrize(
    ("words", "kind"), [(("show", "77"), "NoSuchDeadLetter"), (("requeue",), "NothingChosen")]
)
def test_what_is_not_there_is_refused(line: Line, words: tuple[str, ...], kind: str) -> None:
    assert type_to(line, "deadletters", *words, "--json").error["kind"] == kind
