import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.domain.errors import NotEnoughData
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.training.dataset import Dataset, build_dataset
from registry.types import OffsetRange
from tests.factories.ledger import TOPIC, a_batch, a_conversation, a_ledger, some_conversations
from tests.factories.stores import some_settings


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return a_ledger(tmp_path)


def built(
    engine: Engine, since: int, *, max_new: int = 100, replay_share: float = 0.25
) -> tuple[Dataset, list[dict[str, object]]]:
    folder = Path(str(engine.url.database)).parent
    path = folder / "run" / "data.jsonl"
    settings = some_settings(
        folder, policy={"max_new_conversations": max_new}, learning={"replay_share": replay_share, "seed": 1}
    )
    dataset = build_dataset(ConversationLedger(engine), settings, since_seq=since, path=path)
    return dataset, [json.loads(line) for line in path.read_bytes().splitlines()]


def record(engine: Engine, *batches: list) -> None:  # type: ignore[type-arg]
    for batch in batches:
        IntakeLedger(engine, window_size=20).record(a_batch(batch))


def test_new_conversations_are_mixed_with_replay_of_the_past(engine: Engine) -> None:
    record(engine, some_conversations(0, 80))

    dataset, lines = built(engine, since=41)

    assert (dataset.new, dataset.replay, dataset.span) == (40, 10, SeqRange(first=41, last=80))
    assert [line["origin"] for line in lines] == ["new"] * 40 + ["replay"] * 10
    assert all(int(str(line["id"])[1:]) < 40 for line in lines[40:])


def test_held_out_conversations_and_their_words_are_never_trained_on(engine: Engine) -> None:
    record(
        engine,
        [
            a_conversation(0, text="held", held_out=True),
            a_conversation(1, text=" HELD "),
            a_conversation(2, text="free"),
        ],
    )

    _, lines = built(engine, since=1)

    assert [line["id"] for line in lines] == ["c2"]


def test_of_several_with_the_same_words_one_is_kept(engine: Engine) -> None:
    record(engine, [a_conversation(n, text="反复") for n in range(10)])

    dataset, _ = built(engine, since=1)

    assert dataset.new == 1


def test_what_is_new_is_not_replayed(engine: Engine) -> None:
    record(
        engine,
        [
            a_conversation(0, text="again"),
            a_conversation(1, text="other"),
            *(a_conversation(n) for n in range(2, 6)),
            a_conversation(6, text="again"),
        ],
    )

    _, lines = built(engine, since=3, max_new=100, replay_share=1)

    assert [line["id"] for line in lines if line["origin"] == "replay"] == ["c1"]


def test_the_newest_are_taken_where_there_are_too_many(engine: Engine) -> None:
    record(engine, some_conversations(0, 50))

    dataset, _ = built(engine, since=1, max_new=10, replay_share=0)

    assert dataset.span == SeqRange(first=41, last=50)


def test_the_same_ledger_gives_the_same_bytes_with_sources_that_name_them(engine: Engine) -> None:
    record(engine, some_conversations(0, 30, held_out_every=10))

    one, _ = built(engine, since=21)
    other, lines = built(engine, since=21)

    assert one == other
    assert one.digest == hashlib.sha256(one.path.read_bytes()).hexdigest()
    assert [f"c{record.at.offset}" for record in one.records] == [line["id"] for line in lines]
    covered = [n for s in one.sources for n in range(s.first, s.last + 1)]
    assert sorted(covered) == sorted(int(str(line["id"])[1:]) for line in lines)


def test_adjacent_offsets_are_one_range(engine: Engine) -> None:
    record(engine, some_conversations(0, 10, held_out_every=5))

    dataset, _ = built(engine, since=1, max_new=100, replay_share=0)

    assert dataset.sources == (
        OffsetRange(topic=TOPIC, partition=0, first=1, last=4),
        OffsetRange(topic=TOPIC, partition=0, first=6, last=9),
    )


def test_nothing_to_learn_from_is_said(engine: Engine) -> None:
    record(engine, [a_conversation(0, held_out=True)])

    with pytest.raises(NotEnoughData, match="no conversation since 1"):
        built(engine, since=1)
