import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import TypeAlias

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, insert, select, text

import daemon.ledger.migrations
from daemon.domain.conversation import Feedback
from daemon.domain.errors import LedgerError
from daemon.domain.lessons import LessonKind
from daemon.domain.message_json import message_documents
from daemon.domain.records import Coordinates, NewConversation
from daemon.domain.runs import TrainingRecord
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.database import bind_identity, connect, open_ledger
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.runs import RunLedger
from daemon.ledger.schema import newest_revision
from daemon.ledger.signals import LateSignal, SignalLedger
from daemon.ledger.tables import conversations, feedback, metadata, opinions
from registry.names import VersionName
from registry.sql import SqlStore
from registry.tables import metadata as registry_metadata
from tests.factories.ledger import NOW, TOPIC, a_conversation
from tests.factories.lessons import RULES

Opener: TypeAlias = Callable[[str], Engine]
SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=2)


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens ledgers, and lets go of them at the end."""
    with ExitStack() as engines:

        def open_one(url: str) -> Engine:
            engine = open_ledger(url)
            engines.callback(engine.dispose)
            return engine

        yield open_one


def test_the_migrations_make_the_tables_that_the_program_uses(database: str, opened: Opener) -> None:
    engine = opened(database)

    wanted = MetaData()
    for table in (*metadata.tables.values(), *registry_metadata.tables.values()):
        table.to_metadata(wanted)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), wanted)

    assert differences == []


def test_a_ledger_of_the_first_release_keeps_its_facts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    an_old_ledger(url)

    engine = open_ledger(url)

    assert RunLedger(engine).training_records("r1") == (
        TrainingRecord(
            at=Coordinates(topic="t", partition=0, offset=4), sha256="a" * 64, origin="new", group="g1",
            conversation_hash="g1",
        ),
    )  # fmt: skip
    assert SqlStore(engine).version(VersionName("chat", 1)).lineage.conversations == 1
    assert [stored.letter.value for stored in DeadLetterLedger(engine).unpublished(5)] == [b"x"]
    assert LedgerCounts(engine).intake().feedback == 1
    known = LateSignal(number=1, seq=1, value=1.0, kind="thumb", delay=timedelta(0))
    assert SignalLedger(engine).opinions(after=0, limit=9) == [known]


def an_old_ledger(url: str) -> None:
    """A conversation, feedback on it, a dead letter, and a version that learned from it, as release 0.1 wrote them."""
    with of_schema(url, "0001") as connection:
        for statement in OLD:
            connection.exec_driver_sql(statement)


@contextmanager
def of_schema(url: str, revision: str) -> Iterator[Connection]:
    """A ledger that an older release made, to write into."""
    engine = connect(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(daemon.ledger.migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    engine.dispose()


def test_opinions_of_before_get_the_time_of_the_first_feedback_if_it_came_by_itself(
    database: str, opened: Opener
) -> None:
    inline, spoken, silent = (
        a_conversation(n, feedback=Feedback(thumb="up") if n == 0 else None) for n in range(3)
    )
    columns = {"thumb": "up", "score": 1.0, "topic": TOPIC, "partition": 0, "offset": 3, "received_at": LATER}
    with of_schema(database, "0008") as connection:
        for place, one in enumerate((inline, spoken, silent), start=1):
            connection.execute(insert(conversations).values(_of_schema_8(one, seq=place)))
        for digest, at in (("second", LATER), ("first", SOON)):
            connection.execute(insert(feedback).values(digest=digest, conversation_id="c1", at=at, **columns))
        for seq in (1, 2):
            connection.execute(insert(opinions).values(seq=seq, kind="thumb", score=1.0))

    with opened(database).connect() as connection:
        times = connection.execute(select(opinions.c.seq, opinions.c.at).order_by(opinions.c.seq)).all()

    assert times == [(1, None), (2, SOON)]


def test_corrections_of_before_are_read_and_the_newest_counts(database: str, opened: Opener) -> None:
    columns = {"score": -1.0, "topic": TOPIC, "partition": 0, "offset": 3, "received_at": LATER}
    late = [("first", "c1", SOON, "old"), ("second", "c1", LATER, "new"), ("thumb", "c2", LATER, None)]
    with of_schema(database, "0018") as connection:
        for seq in (1, 2):
            connection.execute(insert(conversations).values(_of_schema_8(a_conversation(seq), seq=seq)))
        for digest, id_, at, correction in late:
            values = columns | {"digest": digest, "conversation_id": id_, "at": at, "correction": correction}
            connection.execute(insert(feedback).values(values))

    ledger = ConversationLedger(opened(database))

    rows = ledger.between(SeqRange(first=1, last=9))
    assert [(row.correction, row.corrected_by) for row in rows] == [("new", "second"), (None, None)]
    assert ledger.lesson_counts(RULES, held_out=False) == {
        LessonKind.CORRECTION: 1, LessonKind.DEMONSTRATION: 1,
    }  # fmt: skip


def _of_schema_8(new: NewConversation, *, seq: int) -> dict[str, object]:
    given, at = new.conversation, new.at
    return {
        "seq": seq, "conversation_id": given.conversation_id, "topic": at.topic, "partition": at.partition,
        "offset": at.offset, "at": given.at, "received_at": NOW, "group_key": new.group, "held_out": new.held_out,
        "messages": message_documents(given.messages), "metadata": {}, "text_digest": new.text_digest,
        "record_sha256": new.record_sha256, "conversation_hash": new.conversation_hash,
        "feedback": given.feedback.score if given.feedback else None,
    }  # fmt: skip


LINEAGE: dict[str, object] = {
    "base": "b", "base_digest": "d", "parent": None, "method": "lora", "settings": {}, "seed": 0, "packages": {},
    "sources": [], "records": [["c1", "a" * 64]], "data_digest": "e",
}  # fmt: skip
VERSION = {
    "name": "chat-v1", "run": "r1", "artifact": None, "digest": "d", "size_bytes": 0, "lineage": LINEAGE,
    "created_at": "2026-11-24T12:00:00+00:00",
}  # fmt: skip
REQUEST = {"dataset": {"new": 1, "records": [["c1", "a" * 64]]}}
OLD = (
    "INSERT INTO conversations VALUES (1, 'c1', 't', 0, 4, 0, 0, NULL, 'g1', 0, NULL, '[]', '{}', 1.0, 'x', 'y')",
    "INSERT INTO feedback VALUES ('t', 0, 5, 'c1', 0, 'up', NULL, NULL, 1.0)",
    "INSERT INTO dead_letters VALUES (1, 't', 0, 6, 'not_json', '', 'no', NULL, x'78', 0, NULL)",
    "INSERT INTO decisions VALUES (1, 0, 'manual', 'train', 'why', 1, NULL, 'me')",
    f"INSERT INTO runs VALUES ('r1', 1, 'finished', '{json.dumps(REQUEST)}', 0, 1, 1, NULL, NULL, NULL, NULL)",  # noqa: S608
    f"INSERT INTO versions VALUES ('chat', 1, '{json.dumps(VERSION)}')",  # noqa: S608
)


def test_replicas_that_start_together_migrate_once(database: str, opened: Opener) -> None:
    with ThreadPoolExecutor(3) as starters:
        engines = list(starters.map(opened, [database] * 3))

    assert [LedgerCounts(engine).windows().closed for engine in engines] == [0, 0, 0]


def test_replicas_may_make_a_ledger_file_at_the_same_moment(tmp_path: Path) -> None:
    """SQLite turns some of them away, about one in twenty, rather than have them wait."""
    at_once = Barrier(3)

    def start(url: str) -> None:
        engine = connect(url)
        at_once.wait()
        with engine.begin():
            pass
        engine.dispose()

    with ThreadPoolExecutor(3) as starters:
        for number in range(60):
            list(starters.map(start, [f"sqlite:///{tmp_path}/{number}.db"] * 3))


def test_the_newest_revision_is_the_last_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(daemon.ledger.migrations.__file__).parent))

    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()


def test_opening_again_changes_nothing(database: str, opened: Opener) -> None:
    bind_identity(opened(database), {"model_line": "chat"})

    bind_identity(opened(database), {"model_line": "chat"})


def test_a_ledger_of_a_newer_release_is_refused(database: str, opened: Opener) -> None:
    with opened(database).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(LedgerError, match="schema 9999, which this release does not know"):
        opened(database)


def test_a_ledger_of_another_model_line_is_refused(database: str, opened: Opener) -> None:
    engine = opened(database)
    bind_identity(engine, {"model_line": "chat"})

    with pytest.raises(LedgerError, match="model_line chat, but the settings now have other"):
        bind_identity(engine, {"model_line": "other"})


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database" * 100)

    with pytest.raises(LedgerError, match="not a database; stop the daemon"):
        open_ledger(f"sqlite:///{path}")

    assert path.read_bytes() == b"no database" * 100
