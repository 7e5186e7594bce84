"""Records as producers log them, and what each becomes."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.config.settings import IntakeSection, LimitsSection
from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import Conversation, FeedbackRecord, Message, Record
from daemon.domain.lessons import Judged, LessonKind, lessons_of
from daemon.intake.decoding import decode_document
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.registry import formats_for
from tests.factories.formats import PLAIN, TS, completion, pair, request_of
from tests.factories.intake import NOW
from tests.factories.lessons import RULES

LOGS = Path(__file__).parents[2] / "fixtures" / "logs"
PARCEL = {"role": "user", "content": "Where is my parcel?"}


def reading(**intake: Any) -> Reading:
    section = IntakeSection.model_validate(intake)
    return Reading(limits=LimitsSection(), received_at=NOW, recorded_at=NOW, intake=section)


def records(document: Any, **intake: Any) -> list[Record]:
    found = reading(**intake)
    return list(decode_document(document, found, formats=formats_for("auto", found.intake)))


def record(document: Any, **intake: Any) -> Conversation:
    (found,) = records(document, **intake)
    assert isinstance(found, Conversation)
    return found


def absence(document: Any, **intake: Any) -> Absence:
    with pytest.raises(NoConversation) as none:
        records(document, **intake)
    return none.value.kind


def logged(name: str, number: int) -> Any:
    return orjson.loads((LOGS / f"{name}.jsonl").read_bytes().splitlines()[number])


def said(found: Conversation) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in found.messages]


def answered(message: Any, **more: Any) -> Conversation:
    """The conversation of a completion with one choice."""
    choice = {"index": 0, "message": {"role": "assistant"} | message} | more
    return record(
        {"request": {"messages": [PARCEL]}, "response": {"id": "a", "created": TS, "choices": [choice]}}
    )


@pytest.mark.parametrize(
    ("name", "turns"),
    [
        ("tool_calls", ["sua", "uata", "uata"]),
        ("content_parts", ["ua", "ua", "ua", "sua"]),
        ("reasoning", ["sua"] * 4),
        ("endings", ["sua", "ua", "sua", "ua", Absence.FAILED, Absence.FAILED]),
        ("openai_responses", ["sua", "uat"]),
        ("anthropic_messages", ["sua", "suata"]),
        ("litellm", ["sua", Absence.FAILED, "sua"]),
        ("langfuse", ["sua", "ua"]),
        ("training_rows", ["suaua", "ua", "uaua", "ua", "ua", "ua"]),
        ("otel", ["ua", "ua"]),
        (
            "turns",
            ["aua", "ua", Absence.NO_ANSWER, "uasua", "ua", "ua", "ua", Absence.NO_QUESTION, "ua", Absence.NO_ANSWER],
        ),
        ("gateway_ids", ["ua"] * 5),
    ],
)  # fmt: skip
def test_each_record_of_a_log_becomes_its_turns(name: str, turns: list[str | Absence]) -> None:
    found: list[str | Absence] = []
    for line in (LOGS / f"{name}.jsonl").read_bytes().splitlines():
        try:
            found.append("".join(turn.role[0] for turn in record(orjson.loads(line)).messages))
        except NoConversation as none:
            found.append(none.kind)

    assert found == turns


def test_media_leave_a_placeholder_or_cost_their_conversation() -> None:
    picture = logged("content_parts", 0)

    assert record(picture).messages[0].content == "What is this?\n[image]"
    assert absence(picture, media="drop") is Absence.NO_TEXT


def test_an_answer_with_media_is_no_target() -> None:
    parts = [{"type": "text", "text": "Here:"}, {"type": "audio", "audio": {}}]

    assert not answered({"content": parts}).messages[-1].learned


@pytest.mark.parametrize(
    ("message", "reasoning", "content"),
    [
        ({"content": "Four.", "reasoning_content": "2+2"}, "2+2", "Four."),
        ({"content": "Four.", "reasoning": "2+2"}, "2+2", "Four."),
        ({"content": "Four.", "thinking_blocks": [{"type": "thinking", "thinking": "2+2"}]}, "2+2", "Four."),
        ({"content": "<think>\n2+2\n</think>\n\nFour."}, "2+2", "Four."),
        ({"content": "2+2\n</think>\n\nFour."}, "2+2", "Four."),
        ({"content": "<think>\n\n</think>\n\nFour."}, None, "Four."),
        ({"content": "<think>2+"}, "2+", ""),
        ({"content": "The tag <think> opens."}, None, "The tag <think> opens."),
        ({"content": [{"type": "thinking", "thinking": "2+2"}, {"type": "text", "text": "Four."}]}, "2+2", "Four."),
        ({"content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Four."}]}, None, "Four."),
    ],
)  # fmt: skip
def test_reasoning_is_kept_apart_from_the_answer(message: Any, reasoning: str | None, content: str) -> None:
    turn = answered(message).messages[-1]

    assert (turn.reasoning, turn.content) == (reasoning, content)


@pytest.mark.parametrize("reason", ["length", "content_filter", "max_tokens"])
def test_an_answer_that_was_cut_off_says_so(reason: str) -> None:
    assert answered({"content": "The par"}, finish_reason=reason).messages[-1].cut_off
    assert not answered({"content": "The par"}, finish_reason="stop").messages[-1].cut_off


def test_a_call_whose_arguments_are_no_object_is_no_target() -> None:
    call = {"id": "c", "function": {"name": "track", "arguments": '{"parcel":'}}

    assert not answered({"content": None, "tool_calls": [call]}).messages[-1].learned


def test_the_chunks_of_a_stream_are_one_answer() -> None:
    deltas: list[Any] = [
        {"role": "assistant", "content": ""}, {"content": "It "}, {"content": "comes."},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "track", "arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
    ]  # fmt: skip
    chunks: list[Any] = [
        {"id": "x", "created": TS, "choices": [{"index": 0, "delta": one}]} for one in deltas
    ]
    whole = [
        *chunks,
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {}},
    ]
    text = "".join(f"data: {orjson.dumps(chunk).decode()}\n\n" for chunk in whole) + "data: [DONE]\n\n"
    request = {"messages": [PARCEL], "stream": True}

    for response in (whole, text):
        turn = record({"request": request, "response": response}).messages[-1]
        assert (turn.content, turn.tool_calls[0].arguments, turn.cut_off) == ("It comes.", '{"a":1}', False)
    assert record({"request": request, "response": chunks[:3]}).messages[-1].cut_off


def test_the_events_of_anthropics_stream_are_one_answer() -> None:
    events = [
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "It comes."}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "track"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    ]  # fmt: skip
    turn = record({"request": {"system": "S", "messages": [PARCEL]}, "response": events}).messages[-1]

    assert (turn.content, turn.tool_calls[0].arguments, turn.cut_off) == ("It comes.", '{"a":1}', False)


@pytest.mark.parametrize(
    "changes",
    [
        {"response": {"error": {"message": "no"}}},
        {"response": {"object": "error", "message": "no"}},
        {"response": {"type": "error", "error": {}}},
        {"response": ""},
        {"response": {"status": 503, "body": "no"}},
        {"status": 429},
        {"status_code": "500"},
    ],
)
def test_a_failed_call_is_no_conversation(changes: dict[str, Any]) -> None:
    assert absence(pair(PLAIN) | changes) is Absence.FAILED


def test_a_completion_without_a_chat_is_none() -> None:
    response = {"id": "x", "created": TS, "choices": [{"index": 0, "text": "once"}]}

    assert absence({"request": {"prompt": "Once"}, "response": response}) is Absence.NOT_CHAT


def test_the_answer_has_the_conversations_id_and_the_chat_is_its_session() -> None:
    found = record(logged("gateway_ids", 0))

    assert (found.conversation_id, found.session_id, found.user_id) == ("chatcmpl-a1", "session-5", "u-1")
    assert (found.metadata["tenant"], found.metadata["consent"]) == ("acme", True)


def test_a_record_that_continues_another_needs_its_session() -> None:
    response = {
        "id": "r2",
        "created_at": TS,
        "output": [{"type": "message", "role": "assistant", "content": "A"}],
    }
    document: dict[str, Any] = {"request": {"input": "Q", "previous_response_id": "r1"}, "response": response}

    with pytest.raises(BadRecord, match="whole input") as bad:
        records(document)
    assert (bad.value.reason, bad.value.field) == (Reason.UNSUPPORTED, "request.input")
    assert record(document | {"session_id": "s"}).session_id == "s"


def test_a_message_by_itself_is_a_turn_of_its_session() -> None:
    found = record({"session_id": "s", "message_id": "m1", "role": "human", "content": "Hi", "ts": TS})

    assert (found.conversation_id, found.session_id, said(found)) == ("m1", "s", [("user", "Hi")])


@pytest.mark.parametrize(
    ("ids", "found"), [({"id": 7}, ("7", None)), ({"id": "a", "session_id": "s"}, ("a", "s"))]
)
def test_a_conversation_may_be_named_by_another_id(
    ids: dict[str, Any], found: tuple[str, str | None]
) -> None:
    answer = {"role": "assistant", "content": "A"}
    named = record({"ts": TS, "messages": [PARCEL, answer]} | ids)

    assert (named.conversation_id, named.session_id) == found


def test_a_message_without_a_session_is_refused() -> None:
    with pytest.raises(BadRecord, match="session_id: is required"):
        records({"message_id": "m1", "role": "user", "content": "Hi", "ts": TS})


def test_rows_without_an_id_get_their_digest() -> None:
    one, same, other = (logged("training_rows", number) for number in (0, 0, 3))

    assert record(one).conversation_id == record(same).conversation_id != record(other).conversation_id


def test_of_a_preference_the_chosen_answer_alone_is_learned() -> None:
    prompt = [PARCEL, {"role": "assistant", "content": "Which?"}, {"role": "user", "content": "P7"}]
    found = record({"prompt": prompt, "chosen": "Tomorrow.", "rejected": "No idea."})

    assert [turn.learned for turn in found.messages if turn.role == "assistant"] == [False, True]
    assert found.rejected == Message(role="assistant", content="No idea.")


@pytest.mark.parametrize(("label", "kind"), [(True, LessonKind.DEMONSTRATION), (False, LessonKind.DISLIKED)])
def test_a_labelled_completion_is_imitated_if_it_is_good(label: bool, kind: LessonKind) -> None:
    prompt = [PARCEL, {"role": "assistant", "content": "Which?"}, {"role": "user", "content": "P7"}]
    found = record({"prompt": prompt, "completion": "A", "label": label})

    assert found.feedback is not None
    judged = Judged(version=None, messages=found.messages, score=found.feedback.score)
    assert [lesson.kind for lesson in lessons_of(judged, RULES)] == [kind]
    assert found.feedback.thumb == ("up" if label else "down")


@pytest.mark.parametrize(
    ("document", "conversation_id", "score"),
    [
        ({"type": "score-create", "body": {"observationId": "o", "name": "n", "value": 1, "dataType": "BOOLEAN"}}, "o", 1),
        ({"traceId": "t", "name": "n", "value": 0, "stringValue": "bad", "dataType": "CATEGORICAL"}, "t", -1),
        ({"trace_id": "t", "name": "n", "value": False, "source": {"source_type": "HUMAN"}}, "t", -1),
        ({"type": "rating", "data": {"rating": 1}, "meta": {"chat_id": "ch", "message_id": "m"}}, "ch", 1),
        (
            {"name": "gen_ai.evaluation.result",
             "attributes": {"gen_ai.response.id": "r", "gen_ai.evaluation.score.label": "good"}}, "r", 1,
        ),
    ],
)  # fmt: skip
def test_scores_are_feedback(document: Any, conversation_id: str, score: float) -> None:
    (found,) = records(document)

    assert isinstance(found, FeedbackRecord)
    assert (found.conversation_id, found.feedback.score) == (conversation_id, score)


def test_a_correction_says_what_the_answer_should_have_been() -> None:
    score = {
        "id": "x",
        "observationId": "o",
        "name": "fix",
        "stringValue": "Today.",
        "dataType": "CORRECTION",
    }
    (found,) = records(score)

    assert isinstance(found, FeedbackRecord)
    assert found.feedback.correction == "Today."


def test_a_score_that_a_model_gave_is_no_opinion() -> None:
    score = {"id": "x", "traceId": "t", "name": "judge", "value": 1, "dataType": "BOOLEAN", "source": "EVAL"}

    assert absence(score) is Absence.UNUSABLE_FEEDBACK


def test_fields_of_a_log_of_ones_own_are_read_where_the_settings_say() -> None:
    fields = {
        "turns": "payload.turns", "role": "who", "content": "said.text", "roles": {"shop": "assistant"},
        "id": "payload.nr", "time": "at", "user": "payload.customer.id", "session": "payload.chat",
        "metadata": {"tenant": "payload.customer.firm"},
    }  # fmt: skip
    turns = [{"who": "customer", "said": {"text": "Hi"}}, {"who": "shop", "said": {"text": "Hello"}}]
    payload = {"turns": turns, "nr": 7, "customer": {"id": 5, "firm": "acme"}, "chat": "s"}
    found = record({"at": TS, "payload": payload, "plan": "gold"}, fields=fields)

    assert said(found) == [("user", "Hi"), ("assistant", "Hello")]
    assert (found.conversation_id, found.user_id, found.session_id) == ("7", "5", "s")
    assert (found.metadata["tenant"], found.metadata["plan"]) == ("acme", "gold")


def test_a_question_and_an_answer_of_ones_own_are_read_too() -> None:
    fields = {"question": "q", "answer": "out.0.text"}

    assert said(record({"q": "Hi", "out": [{"text": "Hello"}]}, fields=fields)) == [
        ("user", "Hi"),
        ("assistant", "Hello"),
    ]


def test_a_http_log_without_bodies_says_that_they_are_missing() -> None:
    http = {
        "request": {"uri": "/v1/chat/completions", "headers": {}},
        "response": {"status": 200},
        "latencies": {},
    }

    assert absence(http) is Absence.REDACTED
    assert (
        absence(http | {"request": {"uri": "/health", "method": "GET", "body": "ping"}}) is Absence.NOT_CHAT
    )


def test_the_requests_fields_may_stand_beside_the_response() -> None:
    document = request_of(PLAIN[:2]) | {"response": completion(PLAIN[2]), "user": "u"}

    assert (record(document).messages, record(document).user_id) == (PLAIN, "u")
