import json
from pathlib import Path

import pytest
from sqlalchemy import update

from daemon.clock import utc_now
from daemon.decoding import Limits
from daemon.errors import LedgerError
from daemon.facts import Action, BatchResult, SeqRange
from daemon.ledger.database import write
from daemon.ledger.tables import erasures
from daemon.metrics import Metrics
from daemon.sorting import Sorter
from daemon.streams import RawRecord
from registry.names import VersionName
from tests.factories_cli import type_to
from tests.factories_daemon import LINE, Line, a_line

#: Words that stand nowhere else, so that a look at the files finds every copy.
SECRET_WORDS = "the quick zebra 斑马 jumps"


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


class Feed:
    """Records as they come from Kafka, through everything that intake does."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._offset = line.stores.intake.next_offsets()["conversations", 0]
        self._sorter = Sorter(
            model_line=LINE, holdout=line.stores.holdout, limits=Limits(), metrics=Metrics()
        )

    def read(self, *values: bytes) -> BatchResult:
        records = []
        for value in values:
            records.append(
                RawRecord(
                    topic="conversations",
                    partition=0,
                    offset=self._offset,
                    timestamp_ms=0,
                    key=None,
                    value=value,
                )
            )
            self._offset += 1
        return self._line.stores.intake.record(self._sorter.sort(records, utc_now()))


def a_record(name: str, user: str | None, text: str = "hello", **more: object) -> bytes:
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": f"you said {text}"}]
    record = {
        "conversation_id": name,
        "ts": "2026-11-24T03:00:00Z",
        "user_id": user,
        "messages": messages,
        **more,
    }
    return json.dumps(record, ensure_ascii=False).encode()


def trainable_user(line: Line) -> str:
    """A user that the holdout lets us learn from."""
    names = (f"user-{number}" for number in range(99))
    return next(
        name for name in names if not line.stores.holdout.holds_out(line.stores.holdout.user_hash(name))
    )


def everything(line: Line) -> bytes:
    """The bytes of all files of the line's state."""
    return b"".join(file.read_bytes() for file in line.settings.state_dir.rglob("*") if file.is_file())


def learned(line: Line, user: str) -> VersionName:
    """A version that learned from a user's conversation."""
    Feed(line).read(a_record("z1", user, SECRET_WORDS))
    seq = line.stores.conversations.last_seq()
    run = line.start_run(line.decide(Action.TRAIN, "drift", since=seq))
    return line.finish_run(run).name


def test_nothing_of_a_forgotten_user_is_left_in_any_file(line: Line) -> None:
    user = trainable_user(line)
    learned(line, user)
    Feed(line).read(
        a_record("z2", user, SECRET_WORDS + " again"),
        json.dumps(
            {"conversation_id": "z1", "ts": 1795521540, "feedback": {"correction": SECRET_WORDS}}
        ).encode(),
        a_record("", user, SECRET_WORDS),  # a dead letter: the id is empty
    )
    assert SECRET_WORDS.encode() in everything(line)

    answer = type_to(line, "forget", "--user", user, "-m", "she asked", "--json").document

    removed = answer["forgotten"]["removed"]
    assert (removed["conversations"], removed["feedback"], removed["dead_letters"]) == (2, 1, 1)
    left = everything(line)
    for trace in (SECRET_WORDS, user, "z1"):
        assert trace.encode() not in left


def test_what_comes_again_of_a_forgotten_user_is_dropped_and_others_are_kept(line: Line) -> None:
    type_to(line, "forget", "--user", "ada", "-m", "she asked", "--yes")

    result = Feed(line).read(a_record("z1", "ada"), a_record("z2", "bob"))

    assert (result.forgotten, result.conversations) == (1, 1)


def test_one_conversation_can_be_forgotten_with_the_feedback_to_come(line: Line) -> None:
    feed = Feed(line)
    feed.read(a_record("z1", "ada"), a_record("z2", "ada"))

    type_to(line, "forget", "--conversation", "z1", "-m", "wrong window", "--yes")

    thumb = json.dumps({"conversation_id": "z1", "ts": 1795521540, "feedback": {"thumb": "up"}}).encode()
    assert feed.read(a_record("z1", None), thumb).forgotten == 2
    last = line.stores.conversations.last_seq()
    assert [
        t.conversation_id for t in line.stores.conversations.between(SeqRange(first=last, last=last))
    ] == ["z2"]


def test_versions_that_learned_from_it_are_named_and_kept_from_users(line: Line) -> None:
    user = trainable_user(line)
    name = learned(line, user)
    line.gate(name)

    shown = type_to(line, "forget", "--user", user, "-m", "she asked", "--retrain", "--yes").stdout

    assert f"learned from what was forgotten: {name}; clean: support-bot-v0" in shown
    assert "asks for a training" in shown
    assert "tainted" in type_to(line, "versions").stdout
    refused = type_to(line, "promote", str(name), "-m", "anyway", "--json")
    assert refused.error["kind"] == "Tainted"
    assert type_to(line, "promote", str(name), "--force", "-m", "until the next one").exit_code == 0


def test_the_run_is_learned_again(line: Line) -> None:
    user = trainable_user(line)
    learned(line, user)
    assert line.stores.trainings.learned_until() > 0

    type_to(line, "forget", "--user", user, "-m", "she asked", "--yes")

    assert line.stores.trainings.learned_until() == 0


def test_the_log_of_erasures_tells_who_and_why_and_an_altered_one_is_found(line: Line) -> None:
    for user in ("ada", "bob"):
        type_to(line, "forget", "--user", user, "-m", f"{user} asked", "--yes")

    entries = type_to(line, "erasures", "--json").document["erasures"]
    assert [entry["why"] for entry in entries] == ["ada asked", "bob asked"]
    assert entries[1]["previous_digest"] == entries[0]["digest"]
    assert "the log is whole" in type_to(line, "erasures").stdout

    with write(line.stores.engine, "test") as connection:
        connection.execute(update(erasures).where(erasures.c.id == 1).values(why="nobody asked"))
    with pytest.raises(LedgerError, match="entry 1 of the log of erasures was altered"):
        line.stores.erasures.verify()
    assert type_to(line, "erasures").exit_code == 1


def test_forgetting_whom_nobody_knows_leaves_a_tombstone(line: Line) -> None:
    answer = type_to(line, "forget", "--user", "nobody", "-m", "in advance", "--json").document

    assert answer["forgotten"]["removed"]["conversations"] == 0
    assert Feed(line).read(a_record("z1", "nobody")).forgotten == 1


@pytest.mark.parametrize("words", [(), ("--user", "u", "--conversation", "c")])
def test_exactly_one_subject_is_named(line: Line, words: tuple[str, ...]) -> None:
    assert type_to(line, "forget", *words, "-m", "x", "--json").error["kind"] == "NobodyNamed"


def test_lineage_lists_the_records_and_rebuilds_the_training_set(line: Line, tmp_path: Path) -> None:
    name = line.promoted()

    listed = type_to(line, "lineage", str(name), "--json").document["lineage"]
    again = type_to(
        line, "lineage", str(name), "--rebuild", "--output", str(tmp_path / "again.jsonl"), "--json"
    )

    assert len(listed["records"]) == 39
    assert again.document["rebuilt"]["equal"]
    original = line.settings.state_dir / "runs" / "r1" / "data.jsonl"
    assert (tmp_path / "again.jsonl").read_bytes() == original.read_bytes()
    assert "rebuilt byte for byte" in type_to(line, "lineage", str(name), "--rebuild").stdout


def test_a_training_set_with_forgotten_records_says_that_it_differs(line: Line) -> None:
    user = trainable_user(line)
    name = learned(line, user)
    type_to(line, "forget", "--user", user, "-m", "she asked", "--yes")

    answer = type_to(line, "lineage", str(name), "--rebuild", "--json")

    assert answer.exit_code == 1
    assert (answer.document["rebuilt"]["equal"], answer.document["rebuilt"]["erased"]) == (False, 1)


def test_the_base_has_no_lineage(line: Line) -> None:
    assert type_to(line, "lineage", "v0", "--json").error["kind"] == "NothingLearned"
