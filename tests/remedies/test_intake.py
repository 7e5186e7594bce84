"""Halts of intake: each names a command that brings intake back, in all partitions where several are stuck."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from daemon.domain.halts import HaltKind
from daemon.domain.holdout import Holdout
from daemon.domain.streams import BatchTooLarge, FetchStalled, IntakeMustHalt, TopicPartition
from daemon.intake.halting import halt_for
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.telemetry.metrics import Metrics
from tests.factories.daemon import Line
from tests.factories.ledger import NOW, TOPIC, a_batch, a_dead_letter
from tests.fakes.kafka import FakeBroker, FakeSource
from tests.remedies.cases import mends
from tests.remedies.operator import Operator

HALTS, STREAMS = "daemon/domain/halts.py", "daemon/domain/streams.py"


def a_record(name: str) -> bytes:
    """A conversation as a producer sends it."""
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": name}]
    return json.dumps({"conversation_id": name, "ts": NOW.isoformat(), "messages": messages}).encode()


class Intake:
    """Intake of the line from the topic in memory."""

    def __init__(self, line: Line, broker: FakeBroker) -> None:
        self.line, self.broker = line, broker
        self.source = FakeSource(broker, TOPIC, start_offsets=lambda _: line.stores.intake.starts())
        self.stage = IntakeStage(
            self.source, line.stores, Router(line.settings, Holdout(b"k" * 32, share=0.5)),
            metrics=Metrics(), clock=lambda: NOW, poll_s=0.0, wait=lambda _: None,
        )  # fmt: skip
        self.sent = 0

    def send(self, partition: int, count: int = 1) -> None:
        for _ in range(count):
            self.sent += 1
            self.broker.append(TOPIC, bytes([partition]), a_record(f"s{self.sent}"))

    def turn(self) -> None:
        self.stage.step()
        self.stage.step()

    def count(self) -> int:
        return self.line.stores.conversations.last_seq()


@pytest.fixture
def intake(line: Line, broker: FakeBroker) -> Intake:
    """Four partitions, each with records that were read."""
    made = Intake(line, broker)
    made.send(0, 51)  # read by the line before
    for partition in (1, 2, 3):
        made.send(partition, 5)
    made.turn()
    assert made.count() == 65
    return made


def expired(intake: Intake) -> None:
    for partition in (1, 2, 3):
        intake.send(partition, 4)
        intake.broker.first[TopicPartition(TOPIC, partition)] = 7


def made_anew(intake: Intake) -> None:
    intake.broker.topic_ids[TOPIC] = "first"
    intake.send(0)
    intake.turn()
    intake.broker.topic_ids[TOPIC] = "second"
    intake.broker.logs.clear()
    for partition in range(4):
        intake.send(partition, 2)


@mends("retuned intake reset -m REASON", HALTS, STREAMS)
@pytest.mark.parametrize(("happens", "read"), [(expired, 6), (made_anew, 8)])
@pytest.mark.parametrize("where", [("status",), ("intake", "show")])
def test_one_command_brings_back_every_partition(
    intake: Intake, operator: Operator, happens: Callable[[Intake], None], read: int, where: tuple[str, ...]
) -> None:
    happens(intake)
    before = intake.count()
    intake.source.rebalance()
    intake.turn()
    printed = operator.reads(*where)
    assert "halted" in printed

    operator.follows(printed, "retuned intake reset -m REASON")

    intake.turn()
    assert intake.stage.halted is None
    assert intake.count() == before + read
    assert "halted" not in operator.status()


@mends("retuned intake seek {}/{} {} -m REASON", STREAMS)
@mends("retuned intake resume -m REASON", STREAMS, HALTS)
@pytest.mark.parametrize(
    "error",
    [
        FetchStalled(TopicPartition(TOPIC, 2), 5, "nothing comes", next_offset=6),
        BatchTooLarge(TopicPartition(TOPIC, 2), 5, next_offset=6, limit=1),
    ],
)
@pytest.mark.parametrize(
    ("remedy", "read"),
    [("retuned intake seek {}/{} {} -m REASON", 1), ("retuned intake resume -m REASON", 2)],
)
def test_what_can_not_be_read_is_passed_over_or_tried_again(
    intake: Intake, operator: Operator, error: IntakeMustHalt, remedy: str, read: int
) -> None:
    intake.send(2, 2)
    before = intake.count()
    operator.line.stores.halts.halt(halt_for(error, NOW))
    intake.turn()
    assert intake.stage.halted is not None

    operator.follows(operator.status(), remedy)

    intake.turn()
    assert intake.stage.halted is None
    assert intake.count() == before + read


@mends("retuned intake resume -m REASON", "daemon/ledger/intake.py")
@mends("retuned deadletters list", "daemon/ledger/intake.py", "daemon/cli/render/status.py")
@mends("retuned deadletters requeue --all", "daemon/ledger/intake.py", "daemon/cli/render/status.py")
@mends("retuned deadletters show ID", "daemon/cli/render/intake.py")
def test_a_producer_that_sent_rubbish_is_found_and_its_records_are_read_again(
    intake: Intake, operator: Operator
) -> None:
    refused = [  # by an earlier release, or other settings
        replace(a_dead_letter(51 + number), value=a_record(f"r{number}"))
        for number in range(operator.line.settings.dead_letters.max_run)
    ]
    for letter in refused:
        intake.broker.append(TOPIC, None, letter.value)
    operator.line.stores.intake.record(a_batch(dead_letters=refused))
    operator.line.stores.dead_letters.mark_requeued([1], NOW)  # the one of the fixture
    intake.turn()
    printed = operator.status()
    assert "halted" in printed
    before = intake.count()

    listed = operator.follows(printed, "retuned deadletters list").stdout
    number = str(operator.line.stores.dead_letters.newest(1)[0].id)
    assert "not_json" in operator.follows(listed, "retuned deadletters show ID", ID=number).stdout
    operator.follows(printed, "retuned intake resume -m REASON")
    operator.follows(printed, "retuned deadletters requeue --all")

    intake.turn()
    assert intake.count() == before + len(refused)
    after = operator.status()
    assert "halted" not in after
    assert f"{len(refused) + 1} requeued" in after
    assert "`retuned deadletters requeue --all`" not in after


@mends("retuned deadletters list", "daemon/ledger/dead_letters.py")
def test_a_dead_letter_that_is_not_there_says_where_to_look(operator: Operator) -> None:
    operator.line.stores.intake.record(a_batch(dead_letters=[a_dead_letter(900)]))

    listed = operator.follows(operator.reads("deadletters", "show", "77"), "retuned deadletters list").stdout

    assert "2 dead letters" in listed


@mends("retuned intake halt -m REASON", "daemon/ledger/halts.py")
@mends("retuned intake show", "daemon/ledger/halts.py")
@pytest.mark.parametrize("word", [("seek", f"{TOPIC}/1", "0"), ("reset",)])
def test_intake_that_reads_is_halted_before_an_offset_is_set(
    intake: Intake, operator: Operator, word: tuple[str, ...]
) -> None:
    refused = operator.reads("intake", *word, "-m", "again")

    assert "Intake is not halted" in operator.follows(refused, "retuned intake show").stdout
    operator.follows(refused, "retuned intake halt -m REASON")

    assert operator.types("intake", *word, "-m", "again").exit_code == 0
    assert operator.line.stores.halts.current() is None


@mends("retuned intake resume -m REASON", "daemon/cli/intake.py", "registry/ordering.py")
@mends("retuned status", "registry/ordering.py")
@pytest.mark.parametrize("says", [("intake", "halt", "-m", "upgrade"), ("resume", "-m", "done")])
def test_a_halt_by_hand_says_how_it_ends(intake: Intake, operator: Operator, says: tuple[str, ...]) -> None:
    printed = operator.reads("intake", "halt", "-m", "upgrade") if says[0] != "intake" else ""
    printed = operator.reads(*says)

    operator.follows(printed, "retuned intake resume -m REASON")

    assert operator.line.stores.halts.current() is None
    if says[0] == "resume":
        assert "halted" not in operator.follows(printed, "retuned status").stdout


def test_every_kind_of_halt_has_a_case_here() -> None:
    assert set(HaltKind) == {
        HaltKind.OFFSET_LOST, HaltKind.TOPIC_RECREATED, HaltKind.FETCH_STALLED, HaltKind.BATCH_TOO_LARGE,
        HaltKind.DEAD_LETTERS, HaltKind.OPERATOR,
    }  # fmt: skip
