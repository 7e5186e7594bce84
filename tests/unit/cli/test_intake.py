from pathlib import Path

import pytest

from daemon.domain.clock import utc_now
from daemon.domain.halts import Halt, HaltKind
from tests.factories.cli import type_to, typed
from tests.factories.daemon import Line, a_line
from tests.factories.ledger import TOPIC, a_batch, a_dead_letter
from tests.fakes.kafka import FakeBroker


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """A line whose topic has four partitions; all records are in the first, and more of them than were read."""
    broker = FakeBroker(partitions=4)
    for number in range(60):
        broker.append(TOPIC, None, b"%d" % number)
    broker.serve(monkeypatch, TOPIC)
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


def test_seek_shows_what_it_skips_asks_and_resumes(line: Line) -> None:
    halted(line)

    answer = typed(
        "--config",
        str(line.config),
        "intake",
        "seek",
        "conversations/0",
        "58",
        "-m",
        "unreadable",
        stdin="y\n",
    )

    assert "skips 7 offsets, never to be read" in answer.stdout
    assert "conversations/0 is read from 58 on" in answer.stdout
    assert line.stores.intake.next_offsets()["conversations", 0] == 58
    assert "conversations/0, 51 -> 58" in type_to(line, "intake", "show").stdout


def test_seek_changes_nothing_unless_somebody_says_yes(line: Line) -> None:
    halted(line)
    words = ("intake", "seek", "conversations/0", "58", "-m", "unreadable")

    refused = [type_to(line, *words), type_to(line, *words, "--json")]

    assert [answer.exit_code for answer in refused] == [3, 3]
    assert line.stores.intake.next_offsets()["conversations", 0] == 51
    assert line.stores.halts.current() is not None
    assert type_to(line, *words, "--json", "--yes").document["seek"]["partitions"][0]["after"] == 58


@pytest.mark.parametrize(
    ("place", "offset", "says"),
    [
        (
            "conversations/4",
            "0",
            "conversations has no partition 4; it has conversations/0 to conversations/3",
        ),
        ("conversations/0", "61", "conversations/0 has the offsets 0 to 60 (end excluded), not 61"),
        ("conversations/3", "1", "conversations/3 has the offsets 0 to 0 (end excluded), not 1"),
        ("other/0", "0", "other is not the topic that is read, conversations"),
    ],
)
def test_a_place_that_the_topic_does_not_have_is_refused(
    line: Line, place: str, offset: str, says: str
) -> None:
    halted(line)

    answer = type_to(line, "intake", "seek", place, offset, "-m", "x", "--yes", "--json")

    assert answer.exit_code == 2
    assert says in answer.error["message"]
    assert line.stores.halts.current() is not None
    assert line.stores.intake.next_offsets() == {("conversations", 0): 51}


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
