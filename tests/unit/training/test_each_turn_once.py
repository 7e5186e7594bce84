"""Whatever the order, repetition and partition of a chat's records: each turn once, and no held-out turn a target."""

import json
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from daemon.domain.errors import NotEnoughData
from daemon.domain.records import StoredConversation
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.training.dataset import build_dataset
from tests.factories.chats import GREETING, Chat, Style, batches_of, records_of
from tests.factories.ledger import a_ledger
from tests.factories.stores import some_settings

SHARED = {message.content for message in GREETING}
STYLES: tuple[Style, ...] = ("completions", "completions", "growing id", "sliding", "messages")


@st.composite
def chats(draw: st.DrawFn, number: int) -> Chat:
    style = draw(st.sampled_from(STYLES))
    joined = style in ("sliding", "messages")
    exchanges = draw(st.integers(1, 6))
    return Chat(
        name=f"chat {number}",
        exchanges=exchanges,
        style=style,
        user=draw(st.sampled_from(("always", "sometimes", "never"))),
        session="always" if joined else draw(st.sampled_from(("always", "sometimes", "never"))),
        greets=style == "completions" and draw(st.booleans()),
        regenerated=draw(st.none() | st.integers(1, exchanges - 1))
        if style == "completions" and exchanges > 1
        else None,
        prompt=draw(st.none() | st.just("Be kind.")) if not joined else None,
        window=draw(st.integers(2, 4)),
    )


logs = st.integers(1, 6).flatmap(lambda count: st.tuples(*(chats(number) for number in range(count))))


def stored(engine: Engine) -> list[StoredConversation]:
    return ConversationLedger(engine).between(SeqRange(first=1, last=10**6))


def recorded(engine: Engine, several: Sequence[Chat], chance: random.Random) -> None:
    """Record the chats' records shuffled, half of them twice, over three partitions, by two replicas."""
    records = [record for chat in several for record in records_of(chat, chance)]
    records += chance.sample(records, len(records) // 2)
    chance.shuffle(records)
    replicas = [IntakeLedger(engine, window_size=20) for _ in range(2)]
    for batch in batches_of(records, partitions=3, chance=chance):
        chance.choice(replicas).record(batch)


def targets(engine: Engine, folder: Path) -> Counter[str]:
    """Return the answers that a training set learns, by how often."""
    path = folder / "data.jsonl"
    try:
        build_dataset(
            ConversationLedger(engine),
            some_settings(folder, curation={"user_share": 1}),
            since_seq=1,
            path=path,
        )
    except NotEnoughData:
        return Counter()
    return Counter(
        message["content"]
        for line in path.read_bytes().splitlines()
        for message in json.loads(line)["messages"]
        if message["role"] == "assistant" and message.get("learned", True)
    )


def check(engine: Engine, folder: Path, several: Sequence[Chat]) -> None:
    rows = stored(engine)
    said = Counter(message.content for row in rows for message in row.messages if message.role != "system")
    wanted = {turn.content for chat in several for turn in chat.turns()}
    wanted |= {f"{chat.name} again" for chat in several if chat.regenerated is not None}
    assert {text for text in said if text not in SHARED} == wanted - SHARED
    assert all(count == 1 for text, count in said.items() if text not in SHARED), said.most_common(3)
    held_out = {message.content for row in rows if row.held_out for message in row.messages}
    learned = targets(engine, folder)
    assert not held_out & learned.keys()
    assert all(count == 1 for text, count in learned.items() if text not in SHARED)
    for chat in several:
        if not chat.greets:
            sides = {
                row.held_out
                for row in rows
                for message in row.messages
                if message.content.startswith(f"{chat.name} ")
            }
            assert len(sides) == 1, chat


@settings(max_examples=25, deadline=None)
@given(several=logs, seed=st.integers(0, 10**6))
def test_each_turn_is_stored_once_and_no_held_out_turn_is_a_target(
    several: tuple[Chat, ...], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        engine = a_ledger(Path(name))
        try:
            recorded(engine, several, random.Random(seed))
            check(engine, Path(name), several)
        finally:
            engine.dispose()
