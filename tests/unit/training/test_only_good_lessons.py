"""Whatever users say of whose answers: none that is disliked or held out is a target, and each turn is one at most once."""

import json
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.domain.conversation import Feedback, Message
from daemon.domain.errors import NotEnoughData
from daemon.domain.records import Coordinates, NewConversation, NewFeedback
from daemon.domain.text_digest import text_digest
from daemon.domain.turns import turns_of
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.training.dataset import build_dataset
from tests.factories.ledger import NOW, TOPIC, a_batch, a_conversation, a_ledger
from tests.factories.stores import some_settings

Opinion: TypeAlias = Literal["up", "down", "correct", "late correct"]


@dataclass(frozen=True)
class Said:
    """One chat whose turns come one record after the other, and what users say of each record."""

    number: int
    opinions: tuple[Opinion | None, ...]  # of each record
    own: bool
    held_out: bool
    rejects: bool  # whether the last record brings a worse answer

    def records(self) -> list[NewConversation]:
        found, turns = [], []
        for number, opinion in enumerate(self.opinions):
            turns += [f"{self.number} asks {number}", f"{self.number} answer {number}"]
            feedback = None
            if opinion in ("up", "down"):
                feedback = Feedback(thumb="up" if opinion == "up" else "down")
            elif opinion == "correct":
                feedback = Feedback(correction=f"{self.number} corrected {number}")
            last = number == len(self.opinions) - 1
            worse = f"{self.number} worse" if self.rejects and last else None
            found.append(self._record(number, tuple(turns), feedback, worse))
        return found

    def late(self) -> list[NewFeedback]:
        return [
            NewFeedback(
                conversation_id=self.name(number),
                at=Coordinates(topic=TOPIC, partition=1, offset=100 * self.number + number),
                when=NOW,
                feedback=Feedback(correction=f"{self.number} corrected {number}"),
            )
            for number, opinion in enumerate(self.opinions)
            if opinion == "late correct"
        ]

    def name(self, number: int) -> str:
        return f"chat {self.number}-{number}"

    def disliked(self) -> set[str]:
        """The answers that must not be imitated."""
        said = {"down", "correct", "late correct"}
        bad = {f"{self.number} answer {n}" for n, opinion in enumerate(self.opinions) if opinion in said}
        return bad | ({f"{self.number} worse"} if self.rejects else set())

    def texts(self) -> set[str]:
        return {f"{self.number} {word} {n}" for n in range(len(self.opinions)) for word in ("answer", "corrected")}  # fmt: skip

    def _record(
        self, number: int, turns: Sequence[str], feedback: Feedback | None, worse: str | None
    ) -> NewConversation:
        messages = tuple(
            Message(role="assistant" if place % 2 else "user", content=text)
            for place, text in enumerate(turns)
        )
        new = a_conversation(0, name=self.name(number), user=f"user {self.number}", held_out=self.held_out)
        rejected = None if worse is None else Message(role="assistant", content=worse)
        conversation = new.conversation.__class__(
            conversation_id=self.name(number),
            at=NOW,
            messages=messages,
            model_version="chat-v0" if self.own else None,
            feedback=feedback,
            rejected=rejected,
        )
        at = Coordinates(topic=TOPIC, partition=0, offset=100 * self.number + number)
        return new.__class__(
            conversation=conversation, at=at, user_hash=f"user {self.number}", group=f"user {self.number}",
            conversation_hash=f"hash of {self.name(number)}", held_out=self.held_out, turns=turns_of(messages),
            text_digest=text_digest(messages), record_sha256=f"{at.offset:064x}",
        )  # fmt: skip


EVERY_OPINION: list[Opinion | None] = ["up", "down", "correct", "late correct", None]
OPINIONS = st.sampled_from(EVERY_OPINION)


@st.composite
def streams(draw: st.DrawFn) -> list[Said]:
    return [
        Said(
            number=number,
            opinions=tuple(draw(st.lists(OPINIONS, min_size=1, max_size=4))),
            own=draw(st.booleans()),
            held_out=draw(st.integers(0, 3)) == 0,
            rejects=draw(st.booleans()),
        )
        for number in range(draw(st.integers(1, 6)))
    ]


def targets(folder: Path, several: Sequence[Said], chance: random.Random) -> Counter[str]:
    """Return the answers that are imitated, by how often."""
    engine = a_ledger(folder)
    try:
        intake = IntakeLedger(engine, window_size=1_000)
        records = [record for said in several for record in said.records()]
        intake.record(a_batch(records, feedback=[late for said in several for late in said.late()]))
        learning = {"replay_share": 1}
        configured = some_settings(folder, curation={"user_share": 1}, learning=learning)
        since = chance.randint(1, len(records))
        path = folder / "data.jsonl"
        build_dataset(ConversationLedger(engine), configured, since_seq=since, path=path)
    except NotEnoughData:
        return Counter()
    finally:
        engine.dispose()
    return Counter(
        message["content"]
        for line in map(json.loads, path.read_bytes().splitlines())
        if line.get("lesson") != "avoid"
        for message in line["messages"]
        if message["role"] == "assistant" and message.get("learned", True)
    )


@settings(max_examples=25, deadline=None)
@given(several=streams(), seed=st.integers(0, 1_000))
def test_only_good_answers_are_targets_and_each_once(several: list[Said], seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        found = targets(Path(name), several, random.Random(seed))

    assert all(count == 1 for count in found.values())
    for said in several:
        assert not found.keys() & said.disliked()
        if said.held_out:
            assert not found.keys() & said.texts()
