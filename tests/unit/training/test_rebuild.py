import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.domain.holdout import Holdout
from daemon.domain.message_json import message_documents
from daemon.domain.records import Coordinates
from daemon.domain.streams import RawRecord, TopicPartition
from daemon.intake.router import Router
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.training.built_dataset import Dataset
from daemon.training.dataset import build_dataset
from daemon.training.lineage import VersionLineage
from daemon.training.rebuild import RebuiltDataset, from_ledger, from_topic, rebuild_dataset
from registry.names import VersionName
from tests.factories.chats import Chat, records_of
from tests.factories.intake import as_bytes
from tests.factories.ledger import NOW, TOPIC, a_ledger
from tests.factories.stores import some_settings


class Topic:
    """A topic that was read, and what was learned from it."""

    def __init__(self, folder: Path, *chats: Chat) -> None:
        records = [record for chat in chats for record in records_of(chat, random.Random(1))]
        self.records = [
            RawRecord(topic=TOPIC, partition=0, offset=offset, timestamp_ms=0, key=None, value=as_bytes({
                "conversation_id": record.conversation_id,
                "ts": record.at.isoformat(),
                "messages": message_documents(record.messages),
            }))
            for offset, record in enumerate(records)
        ]  # fmt: skip
        self.settings = some_settings(folder)
        self.router = Router(self.settings, Holdout(b"k" * 32, share=0.0))
        self.engine: Engine = a_ledger(folder)
        IntakeLedger(self.engine, window_size=20).record(self.router.route(self.records, NOW).batch)
        self.ledger = ConversationLedger(self.engine)
        self.learned: Dataset = build_dataset(
            self.ledger, self.settings, since_seq=1, path=folder / "data.jsonl"
        )

    def rebuilt(self, *, from_kafka: bool) -> RebuiltDataset:
        lineage = VersionLineage(
            version=VersionName("chat", 1), parent=None, run="r1", data_digest=self.learned.digest,
            records=self.learned.records, skipped={},
        )  # fmt: skip
        read = (
            from_topic(self._fetch, self.router, self.ledger, clock=lambda: NOW)
            if from_kafka
            else from_ledger(self.ledger)
        )
        return rebuild_dataset(lineage, read)

    def _fetch(self, wanted: Mapping[TopicPartition, Iterable[int]]) -> list[RawRecord]:
        return [self.records[offset] for offsets in wanted.values() for offset in offsets]


@pytest.mark.parametrize("from_kafka", [True, False])
def test_conversations_of_one_record_are_rebuilt_byte_for_byte(tmp_path: Path, from_kafka: bool) -> None:
    topic = Topic(tmp_path, Chat(name="one", exchanges=1), Chat(name="two", exchanges=1))

    again = topic.rebuilt(from_kafka=from_kafka)

    assert (again.report.equal, again.content) == (True, topic.learned.path.read_bytes())


def test_those_that_grew_are_named_where_the_topic_can_not_join_them(tmp_path: Path) -> None:
    topic = Topic(
        tmp_path, Chat(name="one", exchanges=1), Chat(name="grown", exchanges=2, style="growing id")
    )

    assert topic.rebuilt(from_kafka=False).report.equal
    report = topic.rebuilt(from_kafka=True).report
    assert (report.equal, report.missing, report.changed) == (False, (), ())
    assert report.continued == tuple(
        Coordinates(topic=TOPIC, partition=0, offset=offset) for offset in (1, 2)
    )
