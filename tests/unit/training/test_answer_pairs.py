"""Pairs of answers that two records brought to one prompt."""

from dataclasses import replace

from daemon.domain.conversation import Message
from daemon.domain.lessons import LessonKind
from daemon.domain.records import Coordinates, PastMessage, StoredConversation
from daemon.training.answer_pairs import AnswerPair, answer_pairs
from tests.factories.ledger import NOW
from tests.factories.lessons import RULES


def said(
    seq: int, answer: str, score: float | None, *, question: str = "how?", **facts: object
) -> StoredConversation:
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    made = StoredConversation(
        seq=seq, conversation_id=f"c{seq}", coordinates=Coordinates(topic="t", partition=0, offset=seq), at=NOW,
        group=f"u{seq}", held_out=False, version="support-bot-v1", messages=messages, feedback=score, text_digest="",
        record_sha256="", conversation_hash="",
    )  # fmt: skip
    return replace(made, **facts)  # type: ignore[arg-type]


def found(*conversations: StoredConversation) -> list[tuple[int, int]]:
    return [(pair.better.seq, pair.worse.seq) for pair in answer_pairs(conversations, RULES)]


def test_of_two_answers_to_one_prompt_the_liked_one_is_preferred() -> None:
    [pair] = answer_pairs([said(1, "no", -1.0), said(2, "yes", 1.0)], RULES)

    assert isinstance(pair, AnswerPair)
    assert (pair.better.seq, pair.worse.seq) == (2, 1)
    assert (pair.lesson.kind, pair.lesson.teaching, pair.lesson.index) == (LessonKind.PREFERENCE, "prefer", 1)
    assert (pair.lesson.imitate, pair.lesson.rejected) == (
        Message(role="assistant", content="yes"), Message(role="assistant", content="no"),
    )  # fmt: skip


def test_answers_to_other_prompts_make_no_pair() -> None:
    past = (PastMessage(Message(role="user", content="hello"), 9, 0),)

    assert found(said(1, "no", -1.0), said(2, "yes", 1.0, question="why?")) == []
    assert found(said(1, "no", -1.0), said(2, "yes", 1.0, history=past)) == []
    assert found(said(1, "no", -1.0), said(2, "yes", 1.0, tools=({"name": "lookup"},))) == []
    assert found(said(1, "no", -1.0, history=past), said(2, "yes", 1.0, history=past)) == [(2, 1)]


def test_without_an_opinion_of_each_kind_there_is_no_pair() -> None:
    assert found(said(1, "no", None), said(2, "yes", 1.0)) == []
    assert found(said(1, "no", -1.0), said(2, "yes", None)) == []
    assert found(said(1, "no", -1.0), said(2, "yes", 0.0)) == []
    assert found(said(1, "no", -1.0), said(2, "yes", -1.0)) == []


def test_a_persons_answer_is_preferred_where_users_liked_it() -> None:
    assert found(said(1, "no", -1.0), said(2, "yes", 1.0, version="anna")) == [(2, 1)]


def test_a_corrected_answer_has_its_own_pair() -> None:
    assert found(said(1, "no", -1.0, correction="yes"), said(2, "yes", 1.0)) == []
    rejected = Message(role="assistant", content="never")
    assert found(said(1, "no", -1.0), said(2, "yes", 1.0, rejected=rejected)) == []


def test_an_answer_is_not_preferred_over_the_same_words() -> None:
    assert found(said(1, "yes", -1.0), said(2, " yes ", 1.0)) == []


def test_of_one_answer_that_users_disagree_on_most_decide() -> None:
    liked = [said(seq, "yes", 1.0) for seq in range(1, 4)]

    assert found(*liked, said(4, "yes", -1.0), said(5, "no", -1.0)) == [(3, 5)]
    assert found(said(1, "yes", 1.0), said(2, "yes", -1.0), said(3, "no", -1.0)) == []


def test_copies_make_one_pair_and_disliked_answers_take_turns() -> None:
    disliked = [said(1, "no", -1.0), said(2, "never", -1.0)]
    copies = [said(seq, "yes", 1.0) for seq in range(3, 9)]
    others = [said(10 + n, f"yes {n}", 1.0) for n in range(3)]

    assert found(*disliked, *copies, *others) == [(8, 1), (10, 2), (11, 1), (12, 2)]


def test_the_order_in_which_they_come_changes_nothing() -> None:
    rows = [said(n, f"answer {n % 5}", 1.0 if n % 5 < 3 else -1.0) for n in range(20)]

    assert found(*rows) == found(*reversed(rows))


def test_where_turns_are_gone_the_prompt_is_not_known() -> None:
    assert found(said(1, "no", -1.0), said(2, "yes", 1.0, history_gone=True)) == []
