from monitors.triage.question_pairs import same_questions
from monitors.types import Sample, Turn
from tests.factories.ledger import NOW


def asks(name: str, question: str, *, user: str | None = None) -> Sample:
    turns = (Turn(role="user", content=question), Turn(role="assistant", content="so"))
    return Sample(id=name, group=user or name, at=NOW, turns=turns)


def pairs(new: list[Sample], reference: list[Sample], *, limit: int = 9) -> list[tuple[str, str]]:
    return [(one.id, other.id) for one, other in same_questions(new, reference, limit=limit)]


def test_the_same_question_is_found_in_other_words_of_its_frame() -> None:
    new = [asks("n1", "How do I return my shoes?"), asks("n2", "Who won the match last night?")]
    reference = [asks("r1", "how can I return my shoes"), asks("r2", "Which size do I need?")]

    assert pairs(new, reference) == [("n1", "r1")]


def test_chinese_is_matched_without_spaces() -> None:
    assert pairs([asks("n", "怎么退货？")], [asks("r", "请问怎么退货")]) == [("n", "r")]


def test_each_conversation_and_each_user_is_in_one_pair() -> None:
    new = [
        asks("n1", "what is this", user="ada"),
        asks("n2", "what is this", user="ada"),
        asks("n3", "what is this"),
    ]
    reference = [asks("r1", "what is this"), asks("r2", "what is that this")]

    found = pairs(new, reference)

    assert len(found) == 2
    assert {other for _, other in found} == {"r1", "r2"}


def test_the_most_alike_come_first_and_no_more_than_wanted() -> None:
    new = [asks("n1", "a b c d"), asks("n2", "e f g h")]
    reference = [asks("r1", "a b c x"), asks("r2", "e f g h")]

    assert pairs(new, reference, limit=1) == [("n2", "r2")]


def test_silence_matches_nothing() -> None:
    assert pairs([asks("n", "?")], [asks("r", "?")]) == []
    assert pairs([], []) == []
