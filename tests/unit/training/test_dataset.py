import hashlib
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, delete

from daemon.domain.conversation import Conversation, Message
from daemon.domain.errors import NotEnoughData
from daemon.domain.holdout import Holdout
from daemon.domain.records import Coordinates
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.tables import conversations
from daemon.training.built_dataset import Dataset
from daemon.training.dataset import build_dataset
from daemon.training.lineage import VersionLineage
from daemon.training.rebuild import from_ledger, rebuild_dataset
from registry.names import VersionName
from registry.types import OffsetRange
from tests.factories.chats import Chat, records_of, routed
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


def a_growing_chat(engine: Engine, chat: Chat) -> list[Conversation]:
    """Record a chat, one record a batch, and return its records."""
    records = records_of(chat, random.Random(1))
    for offset, one in enumerate(
        records, start=IntakeLedger(engine, window_size=20).next_offsets().get((TOPIC, 0), 0)
    ):
        new = routed(one, Coordinates(topic=TOPIC, partition=0, offset=offset), ALL_TRAINABLE)
        record(engine, [new])
    return records


ALL_TRAINABLE = Holdout(b"0123456789abcdef", share=0.0)


def answers(line: dict[str, object]) -> list[tuple[str, bool]]:
    """Return the answers of a line, and whether each is learned."""
    messages = cast("list[dict[str, Any]]", line["messages"])
    return [(one["content"], one.get("learned", True)) for one in messages if one["role"] == "assistant"]


def test_the_rows_of_a_conversation_are_one_line(engine: Engine) -> None:
    a_growing_chat(engine, Chat(name="chat", exchanges=3))

    dataset, [line] = built(engine, since=1)

    assert answers(line) == [(f"chat answer {n}", True) for n in range(3)]
    assert (dataset.new, [record.line for record in dataset.records]) == (3, [0, 0, 0])


def test_what_was_learned_before_is_history(engine: Engine) -> None:
    a_growing_chat(engine, Chat(name="chat", exchanges=3))

    _, [line] = built(engine, since=3, replay_share=0)

    assert answers(line) == [("chat answer 0", False), ("chat answer 1", False), ("chat answer 2", True)]


def test_each_branch_has_a_line_and_each_answer_is_a_target_once(engine: Engine) -> None:
    a_growing_chat(engine, Chat(name="chat", exchanges=3, regenerated=1))

    _, lines = built(engine, since=1)

    assert [answers(line)[-1] for line in lines] == [("chat answer 2", True), ("chat again", True)]
    learned = Counter(text for line in lines for text, is_target in answers(line) if is_target)
    assert set(learned.values()) == {1}
    assert len(learned) == 4


def test_an_answer_given_after_another_prompt_has_a_line_of_its_own(engine: Engine) -> None:
    first, second, _ = records_of(Chat(name="chat", exchanges=3, prompt="It is Monday."), random.Random(1))
    tuesday = replace(
        second, messages=(Message(role="system", content="It is Tuesday."), *second.messages[1:])
    )
    for offset, one in enumerate((first, tuesday)):
        record(engine, [routed(one, Coordinates(topic=TOPIC, partition=0, offset=offset), ALL_TRAINABLE)])

    _, lines = built(engine, since=1)

    assert [answers(line) for line in lines] == [
        [("chat answer 0", True)],
        [("chat answer 0", False), ("chat answer 1", True)],
    ]
    prompts = [cast("list[dict[str, Any]]", line["messages"])[0]["content"] for line in lines]
    assert prompts == ["It is Monday.", "It is Tuesday."]


def test_an_answer_as_in_a_held_out_conversation_is_no_target_wherever_it_is(engine: Engine) -> None:
    a_growing_chat(engine, Chat(name="chat", exchanges=2))
    [*_, last] = records_of(Chat(name="chat", exchanges=1), random.Random(1))
    copied = routed(
        replace(last, conversation_id="elsewhere", user_id="u"),
        Coordinates(topic=TOPIC, partition=0, offset=9),
    )
    record(engine, [replace(copied, held_out=True, text_digest="0" * 64)])

    _, [line] = built(engine, since=1)

    assert answers(line) == [("chat answer 0", False), ("chat answer 1", True)]


def test_a_conversation_whose_history_is_gone_is_left_out_and_counted(engine: Engine) -> None:
    a_growing_chat(engine, Chat(name="chat", exchanges=2))
    record(engine, [replace(a_conversation(9), held_out=False)])
    with engine.begin() as connection:
        connection.execute(delete(conversations).where(conversations.c.seq == 1))

    dataset, lines = built(engine, since=1)

    assert [line["id"] for line in lines] == ["c9"]
    assert dataset.left_out == {"continue turns that are no longer stored": 1}


def test_a_set_of_growing_conversations_is_rebuilt_from_the_ledger_byte_for_byte(engine: Engine) -> None:
    a_growing_chat(engine, Chat(name="chat", exchanges=3, regenerated=1))
    a_growing_chat(engine, Chat(name="other", exchanges=4, style="messages", session="always"))
    dataset, _ = built(engine, since=3)
    lineage = VersionLineage(
        version=VersionName("chat", 1),
        parent=None,
        run="r1",
        data_digest=dataset.digest,
        records=dataset.records,
        skipped={},
    )

    again = rebuild_dataset(lineage, from_ledger(ConversationLedger(engine)))

    assert again.report.equal
    assert again.content == dataset.path.read_bytes()
