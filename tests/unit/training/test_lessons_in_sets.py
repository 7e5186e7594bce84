"""What lessons become in a training file, and what is learned of which answer."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from daemon.domain.conversation import Feedback, Message
from daemon.domain.errors import NotEnoughData
from daemon.domain.left_out import DISLIKED, LIKED_BEYOND, NO_WEIGHT, UNJUDGED
from daemon.domain.records import Coordinates, NewConversation, NewFeedback
from daemon.domain.teaching import Reply, TeacherCall, TeacherOutcome, TeacherPurpose
from daemon.domain.text_digest import text_digest
from daemon.domain.turns import turns_of
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.teacher import TeacherLedger
from daemon.training.built_dataset import Dataset
from daemon.training.dataset import build_dataset
from daemon.training.lineage import VersionLineage
from daemon.training.rebuild import RebuiltDataset, from_ledger, rebuild_dataset
from registry.names import VersionName
from tests.factories.ledger import NOW, TOPIC, a_batch, a_conversation, a_ledger
from tests.factories.stores import some_settings

OWN = "chat-v0"
GOOD, BAD = Feedback(thumb="up"), Feedback(thumb="down")


def said(
    offset: int,
    *turns: str,
    by: str | None = OWN,
    opinion: Feedback | None = None,
    rejected: str | None = None,
    user: str | None = None,
    held_out: bool = False,
) -> NewConversation:
    """A conversation of these turns, by turns of user and assistant; by default one exchange of its own."""
    texts = turns or (f"question {offset}", f"answer to {offset}")
    messages = tuple(
        Message(role="assistant" if place % 2 else "user", content=text) for place, text in enumerate(texts)
    )
    new = a_conversation(offset, user=user, held_out=held_out)
    worse = None if rejected is None else Message(role="assistant", content=rejected)
    conversation = replace(
        new.conversation, messages=messages, model_version=by, feedback=opinion, rejected=worse
    )
    return replace(
        new, conversation=conversation, turns=turns_of(messages), text_digest=text_digest(messages)
    )


def later(offset: int, name: str, given: Feedback, *, hours: float = 1) -> NewFeedback:
    return NewFeedback(
        conversation_id=name,
        at=Coordinates(topic=TOPIC, partition=0, offset=offset),
        when=NOW + timedelta(hours=hours),
        feedback=given,
        conversation_hash=f"hash of {name}",
    )


class Stream:
    """A ledger, and the training sets that are built from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine: Engine = a_ledger(folder)
        self.ledger = ConversationLedger(self.engine)
        self.sections: dict[str, dict[str, object]] = {"curation": {"user_share": 1}}
        self.lines: list[dict[str, Any]] = []

    def brings(self, *new: NewConversation, feedback: Iterable[NewFeedback] = ()) -> None:
        IntakeLedger(self.engine, window_size=1_000).record(a_batch(new, feedback=feedback))

    def teaches(self, seq: int, answer: str) -> None:
        """A teacher answers the last prompt of a conversation."""
        teacher = TeacherLedger(self.engine)
        call = TeacherCall(purpose=TeacherPurpose.ANSWER, model="large", digest=f"{seq}", seq=seq)
        number = teacher.begin(call, most=0.0, now=NOW)
        teacher.finish(number, Reply(outcome=TeacherOutcome.ANSWERED), answer=answer, cost=0.0)

    def built(self, since: int = 1, **sections: dict[str, object]) -> Dataset:
        path = self.folder / "data.jsonl"
        settings = some_settings(self.folder, **{**self.sections, **sections})
        dataset = build_dataset(self.ledger, settings, since_seq=since, path=path)
        self.lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        return dataset

    def rebuilt(self, dataset: Dataset) -> RebuiltDataset:
        lineage = VersionLineage(
            version=VersionName("chat", 1), parent=None, run="r1", data_digest=dataset.digest,
            records=dataset.records, skipped={},
        )  # fmt: skip
        return rebuild_dataset(lineage, from_ledger(self.ledger))


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return Stream(tmp_path)


def learned(line: dict[str, Any]) -> list[str]:
    """Return the answers of a line that are targets."""
    return [
        one["content"] for one in line["messages"] if one["role"] == "assistant" and one.get("learned", True)
    ]


def test_answers_of_people_and_other_models_and_liked_ones_are_imitated(stream: Stream) -> None:
    stream.brings(said(0, by=None), said(1, by="another model"), said(2, opinion=GOOD))

    dataset = stream.built()

    assert [learned(line) for line in stream.lines] == [[f"answer to {n}"] for n in range(3)]
    assert all(line.keys() == {"id", "messages", "origin"} for line in stream.lines)
    assert dataset.lessons == {"demonstration": 2, "liked": 1}


def test_own_answers_that_nobody_judged_or_users_disliked_are_left_out(stream: Stream) -> None:
    stream.brings(said(0), said(1), said(2, opinion=BAD), said(3, opinion=GOOD))

    dataset = stream.built()

    assert [learned(line) for line in stream.lines] == [["answer to 3"]]
    assert dataset.left_out == {UNJUDGED: 2, DISLIKED: 1}
    assert dataset.share_left_out == 0  # they are not meant to be learned


def test_a_correction_takes_the_place_of_the_answer_and_is_preferred_to_it(stream: Stream) -> None:
    stream.brings(said(0, "Hi", "Hello!", "When?", "Never."), feedback=[later(1, "c0", Feedback(correction="On Monday."))])  # fmt: skip

    dataset = stream.built()

    [line] = stream.lines
    assert (line["lesson"], line["rejected"]) == ("prefer", {"role": "assistant", "content": "Never."})
    assert [(one["content"], one.get("learned", True)) for one in line["messages"]] == [
        ("Hi", True), ("Hello!", False), ("When?", True), ("On Monday.", True),
    ]  # fmt: skip
    assert dataset.lessons == {"correction": 1}


def test_later_turns_of_a_corrected_chat_keep_what_was_said(stream: Stream) -> None:
    first = said(0, "When?", "Never.", user="u")
    second = said(1, "When?", "Never.", "Thanks", "Welcome.", opinion=GOOD, user="u")
    stream.brings(first, second, feedback=[later(2, "c0", Feedback(correction="On Monday."))])

    stream.built()

    prefer, imitate = sorted(stream.lines, key=lambda line: "lesson" not in line)
    assert learned(prefer) == ["On Monday."]
    assert learned(imitate) == ["Welcome."]
    assert [one["content"] for one in imitate["messages"]] == ["When?", "Never.", "Thanks", "Welcome."]


def test_the_better_of_two_answers_is_preferred(stream: Stream) -> None:
    stream.brings(said(0, by=None, rejected="No idea."))

    dataset = stream.built()

    [line] = stream.lines
    assert (line["lesson"], learned(line), line["rejected"]["content"]) == ("prefer", ["answer to 0"], "No idea.")  # fmt: skip
    assert dataset.lessons == {"preference": 1}


def test_a_teacher_s_answer_is_imitated_and_preferred_to_one_that_was_disliked(stream: Stream) -> None:
    stream.brings(said(0), said(1, opinion=BAD))
    stream.teaches(1, "So it is.")
    stream.teaches(2, "Rather so.")

    dataset = stream.built()

    assert [(learned(line), line.get("lesson"), line.get("rejected")) for line in stream.lines] == [
        (["So it is."], None, None),
        (["Rather so."], "prefer", {"role": "assistant", "content": "answer to 1"}),
    ]
    assert dataset.lessons == {"teacher": 2}


def test_a_liked_answer_is_preferred_to_another_user_s_disliked_one_and_both_are_named(
    stream: Stream,
) -> None:
    stream.brings(
        said(0, "When?", "Never.", opinion=BAD, user="a"),
        said(1, "When?", "On Monday.", opinion=GOOD, user="b"),
    )

    dataset = stream.built()

    [line] = stream.lines
    assert (line["id"], line["lesson"], learned(line), line["rejected"]["content"]) == (
        "c1", "prefer", ["On Monday."], "Never.",
    )  # fmt: skip
    assert [(record.group, record.line, record.lesson) for record in dataset.records] == [
        ("b", 0, {"kind": "preference", "teaching": "prefer", "index": 1}),
        ("a", 0, {"kind": "preference", "index": 1, "part": "rejected"}),
    ]
    assert (dataset.lessons, dataset.new) == ({"preference": 1}, 1)
    before = (stream.folder / "data.jsonl").read_bytes()
    stream.brings(feedback=[later(2, "c0", GOOD, hours=2), later(3, "c1", BAD, hours=2)])
    assert stream.rebuilt(dataset).content == before
    one, other = dataset.records
    without = replace(dataset, records=(one, replace(other, erased=True, sha256=None)))
    assert stream.rebuilt(without).content == b""


def test_a_method_that_avoids_learns_from_disliked_answers(stream: Stream) -> None:
    stream.brings(said(0, by=None), said(1, opinion=BAD), said(2))

    dataset = stream.built(learning={"method": "kto"})

    assert [(line["id"], line.get("lesson")) for line in stream.lines] == [("c0", None), ("c1", "avoid")]
    assert stream.lines[1]["messages"][-1] == {"role": "assistant", "content": "answer to 1"}
    assert (dataset.lessons, dataset.left_out) == ({"demonstration": 1, "disliked": 1}, {UNJUDGED: 1})
    assert stream.rebuilt(dataset).report.equal


def test_a_method_without_what_it_learns_from_waits(stream: Stream) -> None:
    stream.brings(said(0, by=None), said(1, opinion=GOOD))

    with pytest.raises(NotEnoughData, match=r"learning.method is dpo.*set learning.method to lora"):
        stream.built(learning={"method": "dpo"})


def test_each_line_has_the_weight_of_its_kind(stream: Stream) -> None:
    stream.brings(said(0, by=None), said(1, opinion=GOOD), said(2, opinion=Feedback(correction="Better.")))
    stream.sections["lessons"] = {"weights": {"demonstration": 0.5, "correction": 2, "liked": 0}}

    dataset = stream.built()

    assert [(learned(line), line.get("weight")) for line in stream.lines] == [
        (["answer to 0"], 0.5), (["Better."], 2.0),
    ]  # fmt: skip
    assert dataset.left_out == {NO_WEIGHT: 1}


def test_earlier_own_answers_are_replayed_but_none_that_was_disliked(stream: Stream) -> None:
    past = [said(0), said(1, opinion=BAD), said(2, opinion=Feedback(correction="Better."))]
    stream.brings(*past, *(said(n, by=None) for n in range(10, 20)))
    stream.sections["lessons"] = {"weights": {"replay": 0.25}}

    dataset = stream.built(since=4, learning={"replay_share": 1})

    replayed = [line for line in stream.lines if line["origin"] == "replay"]
    assert [(learned(line), line["weight"]) for line in replayed] == [(["answer to 0"], 0.25), (["Better."], 0.25)]  # fmt: skip
    assert dataset.lessons == {"demonstration": 10, "replay": 2}


def test_what_one_user_disliked_is_not_replayed_because_nobody_judged_it_elsewhere(stream: Stream) -> None:
    stream.brings(
        said(0, "Q?", "Wrong.", opinion=BAD),
        said(1, "Q?", "Wrong."),
        *(said(n, by=None) for n in range(2, 9)),
    )

    stream.built(since=3, learning={"replay_share": 1})

    assert not any("Wrong." in learned(line) for line in stream.lines)


def test_without_lessons_the_remedy_is_said(stream: Stream) -> None:
    stream.brings(said(0), said(1, opinion=BAD))

    with pytest.raises(NotEnoughData, match=r"1 disliked, 1 own answers that nobody judged.*feedback"):
        stream.built()


def test_two_users_corrected_to_the_same_answer_are_copies(stream: Stream) -> None:
    correct = Feedback(correction="On Monday, at nine.")
    stream.brings(
        said(0, "When?", "Never.", opinion=correct), said(1, "When?", "I do not know.", opinion=correct)
    )

    dataset = stream.built()

    assert (dataset.new, dataset.left_out) == (1, {"same words as another": 1})


@pytest.mark.parametrize("held_out", ["the corrected answer", "the answer that was given"])
def test_neither_the_words_of_a_correction_nor_those_it_corrects_may_be_held_out(
    stream: Stream, held_out: str
) -> None:
    correct = Feedback(correction="On Monday, at nine.")
    answer = "On Monday, at nine." if held_out == "the corrected answer" else "Never."
    stream.brings(
        said(0, "When?", answer, held_out=True), said(1, "When?", "Never.", opinion=correct), said(2, by=None)
    )

    dataset = stream.built()

    assert [learned(line) for line in stream.lines] == [["answer to 2"]]
    assert dataset.left_out == {"same words as a held-out one": 1}


def test_the_correction_of_a_held_out_conversation_is_held_out(stream: Stream) -> None:
    correct = Feedback(correction="On Monday, at nine.")
    stream.brings(
        said(0, "When?", "Never.", opinion=correct, held_out=True),
        said(1, "When?", "On Monday, at nine.", by=None),
        said(2, "Hi", "Hello", "When?", "On Monday, at nine.", by=None),
    )

    stream.built()

    assert [learned(line) for line in stream.lines] == [["Hello"]]


def test_likes_are_at_most_their_share_of_the_lessons(stream: Stream) -> None:
    stream.brings(*(said(n, opinion=GOOD) for n in range(40)), *(said(n, by=None) for n in range(100, 115)))

    dataset = stream.built(lessons={"liked_share": 0.5})

    assert dataset.lessons == {"demonstration": 15, "liked": 15}
    assert dataset.left_out == {LIKED_BEYOND: 25}
    assert {line["id"] for line in stream.lines} >= {"c39", "c25"}  # the newest


def test_a_few_likes_are_always_learned(stream: Stream) -> None:
    stream.brings(*(said(n, opinion=GOOD) for n in range(40)))

    assert stream.built(lessons={"liked_share": 0.5}).lessons == {"liked": 10}
    assert stream.built().lessons == {"liked": 40}


def test_a_set_is_rebuilt_byte_for_byte_after_newer_opinions(stream: Stream) -> None:
    stream.brings(
        said(0, by=None),
        said(1, opinion=GOOD),
        said(2, opinion=Feedback(correction="By its own record.")),
        said(3),
        said(4, by=None, rejected="No idea."),
        said(5, opinion=GOOD),
        said(6),
        said(7, opinion=BAD),
        *(said(n, by=None) for n in range(20, 30)),
        feedback=[later(8, "c3", Feedback(correction="First."))],
    )
    stream.teaches(7, "So it is.")
    stream.teaches(8, "Rather so.")
    stream.sections["lessons"] = {"weights": {"correction": 2, "replay": 0.5}}
    dataset = stream.built(since=3, learning={"replay_share": 1})
    before = (stream.folder / "data.jsonl").read_bytes()

    stream.brings(
        feedback=[
            later(40, "c3", Feedback(correction="Second."), hours=2),
            later(41, "c2", Feedback(correction="Another."), hours=2),
            later(42, "c5", BAD, hours=2),
            later(43, "c1", Feedback(correction="No."), hours=2),
        ]
    )

    again = stream.rebuilt(dataset)
    assert (again.report.equal, again.content) == (True, before)
    assert stream.built(since=3, learning={"replay_share": 1}).digest != dataset.digest
