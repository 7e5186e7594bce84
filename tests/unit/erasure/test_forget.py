import json
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from daemon.domain.clock import utc_now
from daemon.domain.decisions import Action
from daemon.domain.errors import ForgottenMeanwhile, LedgerError
from daemon.domain.records import BatchResult, Coordinates
from daemon.domain.runs import Run, RunState, TrainingRecord
from daemon.domain.streams import RawRecord
from daemon.domain.windows import SeqRange
from daemon.erasure.forget import Swept, TrainingFiles
from daemon.intake.router import Router
from daemon.jobs.errors import NoJobData
from daemon.jobs.files import JobFiles
from daemon.jobs.request import portable
from daemon.ledger.database import write
from daemon.ledger.erasures import Subject
from daemon.ledger.stores import artifacts_url
from daemon.ledger.tables import conversations, erasures
from learners.types import TrainRequest
from registry.names import VersionName
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line

#: Words that stand nowhere else, so that a look at the files finds every copy.
SECRET_WORDS = "the quick zebra 斑马 jumps"


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


class Feed:
    """Records as they come from Kafka, through everything that intake does. Tombstones erase."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._offset = line.stores.intake.next_offsets()["conversations", 0]
        kafka = line.settings.kafka.model_copy(update={"tombstones": "forget"})
        self._router = Router(line.settings.model_copy(update={"kafka": kafka}), line.stores.holdout)

    def read(self, *values: bytes | None, key: bytes | None = None) -> BatchResult:
        records = []
        for value in values:
            records.append(
                RawRecord(
                    topic="conversations",
                    partition=0,
                    offset=self._offset,
                    timestamp_ms=0,
                    key=key,
                    value=value,
                )
            )
            self._offset += 1
        return self._line.stores.intake.record(self._router.route(records, utc_now()).batch)


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


def jobs_of(line: Line) -> JobFiles:
    return JobFiles(artifacts_url(line.settings), cache=line.settings.state_dir / "cache")


def sweeper(line: Line, runs_dir: Path) -> TrainingFiles:
    return TrainingFiles(line.stores.erasures, runs_dir, jobs_of(line), model_line=line.settings.model_line)


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

    answer = type_to(line, "forget", "--user", user, "-m", "she asked", "--yes", "--json").document

    removed = answer["forgotten"]["removed"]
    assert answer["found"] is True
    assert (removed["conversations"], removed["feedback"], removed["dead_letters"]) == (2, 1, 1)
    left = everything(line)
    for trace in (SECRET_WORDS, user, "z1"):
        assert trace.encode() not in left


def test_what_a_forgotten_user_corrected_of_others_is_left_in_no_file(line: Line) -> None:
    feed, user = Feed(line), trainable_user(line)
    feed.read(a_record("z1", user, "hello there"))
    feed.read(
        json.dumps(
            {
                "conversation_id": "z1",
                "ts": 1795521540,
                "user_id": "staff",
                "feedback": {"correction": SECRET_WORDS},
            }
        ).encode()
    )
    seq = line.stores.conversations.last_seq()
    run = line.start_run(line.decide(Action.TRAIN, "drift", since=seq))
    version = line.finish_run(run)
    assert SECRET_WORDS.encode() in everything(line)

    answer = type_to(line, "forget", "--user", "staff", "-m", "left the firm", "--yes", "--json").document

    assert answer["forgotten"]["removed"]["feedback"] == 1
    assert SECRET_WORDS.encode() not in everything(line)
    assert [one.erased for one in line.stores.runs.training_records(version.run or "")] == [True]
    [stored] = line.stores.conversations.between(SeqRange(first=seq, last=seq))
    assert (stored.conversation_id, stored.correction) == ("z1", None)


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


def a_thumb(name: str, **more: object) -> bytes:
    return json.dumps(
        {"conversation_id": name, "ts": 1795521540, "feedback": {"thumb": "up"}, **more}
    ).encode()


def test_late_feedback_that_names_only_a_forgotten_users_conversation_is_dropped(line: Line) -> None:
    feed = Feed(line)
    feed.read(a_record("z1", "ada"))

    type_to(line, "forget", "--user", "ada", "-m", "she asked", "--yes")

    assert feed.read(a_thumb("z1")).forgotten == 1


def test_what_a_user_said_of_a_conversation_that_never_came_goes_too(line: Line) -> None:
    Feed(line).read(a_thumb("never", user_id="ada"), a_thumb("never", user_id="bob"))

    answer = type_to(line, "forget", "--user", "ada", "-m", "she asked", "--yes", "--json").document

    assert answer["forgotten"]["removed"]["feedback"] == 1


def test_a_conversation_whose_id_is_personal_data_is_found_by_it(line: Line) -> None:
    feed = Feed(line)
    feed.read(a_record("ada@example.org", "ada", SECRET_WORDS), a_thumb("ada@example.org"))
    assert b"ada@example.org" not in everything(line)

    answer = type_to(
        line, "forget", "--conversation", "ada@example.org", "-m", "x", "--yes", "--json"
    ).document

    removed = answer["forgotten"]["removed"]
    assert (removed["conversations"], removed["feedback"]) == (1, 1)
    assert feed.read(a_record("ada@example.org", "ada"), a_thumb("ada@example.org")).forgotten == 2


def test_early_feedback_on_an_id_that_is_personal_data_goes_with_it(line: Line) -> None:
    Feed(line).read(a_thumb("ada@example.org"))

    answer = type_to(
        line, "forget", "--conversation", "ada@example.org", "-m", "x", "--yes", "--json"
    ).document

    assert answer["forgotten"]["removed"]["feedback"] == 1


def test_a_forgotten_conversation_is_no_example_of_a_change_any_more(line: Line) -> None:
    line.candidate()
    window = line.stores.windows.window(2)
    assert window is not None
    assert window.explanation is not None
    assert window.explanation["examples"] == ["c71", "c75"]

    subject = Subject(kind="conversation", id="c71", hash="hash of c71")
    line.stores.erasures.erase(subject, by="ada", why="asked", now=line.clock())

    window = line.stores.windows.window(2)
    assert window is not None
    assert window.explanation is not None
    assert window.explanation["examples"] == ["c75"]


def test_an_example_that_was_forgotten_while_it_was_judged_is_not_written(line: Line) -> None:
    line.add_conversations(60)
    line.judge("stable")
    subject = Subject(kind="conversation", id="c71", hash="hash of c71")
    line.stores.erasures.erase(subject, by="ada", why="asked", now=line.clock())

    window = line.stores.windows.window(line.judge("drift"))

    assert window is not None
    assert window.explanation is not None
    assert window.explanation["examples"] == ["c75"]


def test_a_run_that_was_planned_with_what_is_forgotten_meanwhile_does_not_begin(line: Line) -> None:
    decision = line.drift()
    user = trainable_user(line)
    record = TrainingRecord(
        at=Coordinates(topic="conversations", partition=0, offset=1), sha256="a" * 64, origin="new",
        group=line.stores.holdout.user_hash(user), conversation_hash="h",
    )  # fmt: skip
    type_to(line, "forget", "--user", user, "-m", "she asked", "--yes")
    run = Run(
        id="r1", decision_id=decision.id or 0, state=RunState.RUNNING, request={}, started_at=line.clock(),
        since_seq=1, until_seq=60,
    )  # fmt: skip

    with pytest.raises(ForgottenMeanwhile, match="1 conversations of r1"):
        line.stores.runs.start(run, [record])

    assert line.stores.runs.run("r1") is None


def test_scores_of_conversations_that_are_gone_are_left_out(line: Line) -> None:
    subject = Subject(kind="conversation", id="c7", hash="hash of c7")
    line.stores.erasures.erase(subject, by="ada", why="asked", now=line.clock())

    line.stores.signals.add_losses("v", {8: (1.0, 2), 9: (1.0, 2)})

    assert [one.seq for one in line.stores.signals.losses("v", after=0, limit=9)] == [9]


def test_a_conversation_that_retention_took_is_known_by_the_runs_that_learned_from_it(line: Line) -> None:
    learned(line, user := trainable_user(line))
    with write(line.stores.engine, "test") as connection:
        connection.execute(delete(conversations).where(conversations.c.conversation_id == "z1"))

    type_to(line, "forget", "--user", user, "-m", "she asked", "--yes")

    assert Feed(line).read(a_thumb("z1")).forgotten == 1


@pytest.mark.parametrize(
    "value",
    [
        b'{"user_id": "u-1", "conversation_id": ""}', b'{"user_id": "u-1', b'{"request": {"user": "u-1"}}',
        b'{"messages": [{"content": "I am u-1."}]}',
    ],
)  # fmt: skip
def test_dead_letters_that_name_a_user_go_however_broken_they_are(line: Line, value: bytes) -> None:
    Feed(line).read(value, value.replace(b"u-1", b"u-12"), value.replace(b"u-1", b"xu-1"))

    answer = type_to(line, "forget", "--user", "u-1", "-m", "x", "--yes", "--json").document

    assert answer["forgotten"]["removed"]["dead_letters"] == 1


@pytest.mark.parametrize("escaped", [b"\\u5f20/a", b"\\u5F20\\/a", "张/a".encode()])
def test_a_user_is_found_in_dead_letters_however_json_writes_the_name(line: Line, escaped: bytes) -> None:
    Feed(line).read(b'{"user_id": "' + escaped + b'", "messages": 1}')

    answer = type_to(line, "forget", "--user", "张/a", "-m", "x", "--yes", "--json").document

    assert answer["forgotten"]["removed"]["dead_letters"] == 1


def test_unusable_records_of_the_forgotten_leave_no_bytes_when_they_come_again(line: Line) -> None:
    type_to(line, "forget", "--user", "ada", "-m", "she asked", "--yes")
    type_to(line, "forget", "--conversation", "z1", "-m", "x", "--yes")
    completion = json.dumps({"request": {"user": "ada", "messages": 3}, "response": {"choices": 3}}).encode()

    result = Feed(line).read(a_record("", "ada"), a_record("z1", None, ts="never"), completion, b"{")

    assert (result.forgotten, result.dead_letters) == (3, 1)


def test_each_replica_deletes_its_own_copies_of_what_was_forgotten(line: Line, tmp_path: Path) -> None:
    name = learned(line, user := trainable_user(line))
    elsewhere = tmp_path / "another replica" / "runs"
    copies = [elsewhere / "r1" / "data.jsonl", elsewhere / "r1" / ".data.jsonl.tmp"]
    copies[0].parent.mkdir(parents=True)
    for copy in copies:
        copy.write_text(SECRET_WORDS)
    files = sweeper(line, elsewhere)
    assert files.sweep() == Swept()

    type_to(line, "forget", "--user", user, "-m", f"{name} learned from it", "--yes")

    assert set(files.sweep().files) == set(copies)
    assert not any(copy.exists() for copy in copies)


def published(line: Line, folder: Path, *, run: str, model_line: str) -> str:
    """A job in the artifact store whose data holds the words of the forgotten."""
    folder.mkdir()
    (folder / "data.jsonl").write_text(SECRET_WORDS)
    request = TrainRequest(
        run=run, base=folder, base_digest="b", parent=None, data=folder / "data.jsonl", data_digest="d",
        output=folder / "artifact",
    )  # fmt: skip
    return jobs_of(line).publish(
        portable(request, model_line=model_line, base="org/model", parent=None), request.data
    )


def test_the_data_of_a_job_goes_from_the_artifact_store(line: Line, tmp_path: Path) -> None:
    user = trainable_user(line)
    learned(line, user)  # by run r1
    own = line.settings.model_line
    of_the_run = published(line, tmp_path / "a", run="r1", model_line=own)
    of_another_run = published(line, tmp_path / "b", run="r2", model_line=own)
    of_another_line = published(line, tmp_path / "c", run="r1", model_line="another-line")

    answer = type_to(line, "forget", "--user", user, "-m", "she asked", "--yes", "--json").document

    files = jobs_of(line)
    assert answer["forgotten"]["jobs"] == [of_the_run]
    with pytest.raises(NoJobData):
        files.fetch_data(of_the_run, files.request(of_the_run), tmp_path / "fetched")
    for kept in (of_another_run, of_another_line):
        assert files.delete_data(kept), "it did not learn from the user"


def test_versions_that_learned_from_it_are_named_and_kept_from_users(line: Line) -> None:
    user = trainable_user(line)
    name = learned(line, user)
    line.gate(name)

    shown = type_to(line, "forget", "--user", user, "-m", "she asked", "--retrain", "--yes").stdout

    assert f"earned from it: {name}" in shown
    assert "Newest version that did not: support-bot-v0" in shown
    assert "asks for a training" in shown
    assert "tainted" in type_to(line, "versions").stdout
    refused = type_to(line, "promote", str(name), "-m", "anyway", "--json")
    assert refused.error["kind"] == "Tainted"
    assert type_to(line, "promote", str(name), "--force", "-m", "until the next one").exit_code == 0


def test_a_tombstone_erases_what_the_command_does(tmp_path: Path) -> None:
    for name in ("command", "tombstone"):
        (tmp_path / name).mkdir()
    by_command, by_tombstone = a_line(tmp_path / "command"), a_line(tmp_path / "tombstone")
    for line in (by_command, by_tombstone):
        learned(line, trainable_user(line))
        Feed(line).read(a_thumb("z1", text=SECRET_WORDS), a_record("z1", None, SECRET_WORDS, ts="never"))

    type_to(by_command, "forget", "--conversation", "z1", "-m", "deleted", "--yes")
    Feed(by_tombstone).read(None, key=b"z1")
    sweeper(by_tombstone, by_tombstone.settings.state_dir / "runs").sweep()

    [command], [tombstone] = (line.stores.erasures.log() for line in (by_command, by_tombstone))
    assert (tombstone.kind, tombstone.removed) == (command.kind, command.removed)
    assert tombstone.removed["runs"] == ["r1"]
    for line in (by_command, by_tombstone):
        left = everything(line)
        assert SECRET_WORDS.encode() not in left
        assert b"z1" not in left
        assert Feed(line).read(a_record("z1", None), a_thumb("z1")).forgotten == 2


def test_the_run_is_learned_again(line: Line) -> None:
    user = trainable_user(line)
    learned(line, user)
    assert line.stores.runs.learned_until() > 0

    type_to(line, "forget", "--user", user, "-m", "she asked", "--yes")

    assert line.stores.runs.learned_until() == 0


def test_the_log_of_erasures_tells_who_and_why_and_an_altered_one_is_found(line: Line) -> None:
    for user in ("ada", "bob"):
        type_to(line, "forget", "--user", user, "-m", f"{user} asked", "--yes")

    entries = type_to(line, "erasures", "--json").document["erasures"]
    assert [entry["why"] for entry in entries] == ["ada asked", "bob asked"]
    assert entries[1]["previous_digest"] == entries[0]["digest"]
    assert "The erasure log is intact" in type_to(line, "erasures").stdout

    with write(line.stores.engine, "test") as connection:
        connection.execute(update(erasures).where(erasures.c.id == 1).values(why="nobody asked"))
    with pytest.raises(LedgerError, match="entry 1 of the log of erasures was altered"):
        line.stores.erasures.verify()
    assert type_to(line, "erasures").exit_code == 1


def test_forgetting_whom_nobody_knows_leaves_a_tombstone(line: Line) -> None:
    answer = type_to(line, "forget", "--user", "nobody", "-m", "in advance", "--yes", "--json").document

    assert answer["forgotten"]["removed"]["conversations"] == 0
    assert Feed(line).read(a_record("z1", "nobody")).forgotten == 1


@pytest.mark.parametrize("words", [(), ("--user", "u", "--conversation", "c"), ("--user", "")])
def test_exactly_one_subject_is_named(line: Line, words: tuple[str, ...]) -> None:
    assert type_to(line, "forget", *words, "-m", "x", "--yes", "--json").error["kind"] == "NobodyNamed"


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


def test_conversations_without_a_user_are_warned_about(line: Line) -> None:
    Feed(line).read(a_record("n1", None), a_record("n2", None), a_record("n3", "ada"))

    found = type_to(line, "forget", "--user", "ada", "-m", "she asked", "--yes", "--json")
    unknown = type_to(line, "forget", "--user", "eve", "-m", "she asked", "--yes", "--json")
    shown = type_to(line, "forget", "--user", "eve", "-m", "she asked", "--yes")

    assert (found.exit_code, found.document["found"], found.document["without_user"] >= 2) == (0, True, True)
    assert (unknown.exit_code, unknown.document["found"]) == (1, False)
    assert "that name no user remain" in " ".join(shown.stdout.split())
    assert "retuned forget --conversation ID" in " ".join(shown.stdout.split())


def test_erasing_a_conversation_does_not_ask_for_users(line: Line) -> None:
    Feed(line).read(a_record("n1", None), a_record("n2", None))

    answer = type_to(line, "forget", "--conversation", "n1", "-m", "x", "--yes", "--json")

    assert (answer.exit_code, answer.document["without_user"]) == (0, 0)
