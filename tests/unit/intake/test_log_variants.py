"""Less usual records of each kind: what other producers, servers and models make of the same shapes."""

from typing import Any

import orjson
import pytest

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import Conversation, Feedback, FeedbackRecord, Message, Record
from daemon.intake.decoding import decode_document
from daemon.intake.formats.envelopes.preferences import REJECTED
from daemon.intake.formats.reading import Reading
from daemon.intake.unwrapping import unwrap
from tests.factories.intake import NOW

TS = 1_795_521_540
ASKED = {"role": "user", "content": "Where?"}
ANSWERED = {"role": "assistant", "content": "Tomorrow."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "track", "arguments": '{"p":1}'}}
NATIVE: dict[str, Any] = {"conversation_id": "c-1", "ts": TS, "messages": [ASKED, ANSWERED]}


def completion(message: Any, **choice: Any) -> dict[str, Any]:
    answer = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **choice}
    return {"id": "a-1", "created": TS, "model": "m", "choices": [answer]}


def pair(response: Any, *messages: Any, **more: Any) -> dict[str, Any]:
    return {"request": {"messages": [*messages, ASKED]}, "response": response, "timestamp": TS, **more}


PAIR = pair(completion(ANSWERED))


def read(value: Any) -> list[Record]:
    limits = LimitsSection()
    text = value if isinstance(value, bytes) else orjson.dumps(value)
    found: list[Record] = []
    for document in unwrap(text, limits=limits):
        found += decode_document(document, Reading(limits=limits, received_at=NOW, recorded_at=NOW))
    return found


def conversation(value: Any) -> Conversation:
    (found,) = read(value)
    assert isinstance(found, Conversation)
    return found


def answer(value: Any) -> str:
    return conversation(value).messages[-1].content


def absence(value: Any) -> Absence:
    with pytest.raises(NoConversation) as none:
        read(value)
    return none.value.kind


def refusal(value: Any) -> BadRecord:
    with pytest.raises(BadRecord) as bad:
        read(value)
    return bad.value


@pytest.mark.parametrize(
    ("calls", "arguments"),
    [
        ({"tool_calls": orjson.dumps([CALL]).decode()}, '{"p":1}'),
        ({"tool_calls": [{"name": "track", "args": {"p": 1}, "type": "tool_call"}]}, '{"p":1}'),
        ({"tool_calls": [{**CALL, "id": None, "type": None}]}, '{"p":1}'),
        ({"function_call": {"name": "track", "arguments": {"p": 1}}}, '{"p":1}'),
    ],
)
def test_calls_are_read_in_the_forms_that_clients_log_them(calls: Any, arguments: str) -> None:
    (call,) = conversation(pair(completion({"content": None, **calls}))).messages[-1].tool_calls

    assert (call.name, call.arguments) == ("track", arguments)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"image_url": {"url": "x"}}, {"text": "Where?"}], "[image]\nWhere?"),
        ([None, {"type": "text", "text": "Where?"}], "Where?"),
        ([{"type": "text", "text": {"value": "Where?", "annotations": []}}], "Where?"),
        ([{"type": "text", "text": None}, {"type": "text", "text": "Where?"}], "Where?"),
    ],
)
def test_a_flaw_in_a_part_costs_no_more_than_the_part(content: Any, said: str) -> None:
    assert conversation(NATIVE | {"messages": [{"role": "user", "content": content}, ANSWERED]}).messages[
        0
    ].content == (said)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "<thinking>hm</thinking>Tomorrow."},
        {"content": "◁think▷hm◁/think▷Tomorrow."},
        {"content": "[THINK]hm[/THINK]Tomorrow."},
        {"content": "<seed:think>hm</seed:think>Tomorrow."},
        {"content": "hm</think>Tomorrow."},
        {"content": "hm\n</think> Tomorrow."},
        {
            "content": "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Tomorrow."
            "<|return|>"
        },
        {"content": "Tomorrow.", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"content": "Tomorrow.", "reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"content": "Tomorrow.", "reasoning": {"content": "hm"}},
    ],
)
def test_the_reasoning_of_each_family_of_models_is_kept_apart(message: Any) -> None:
    last = conversation(pair(completion(message))).messages[-1]

    assert (last.content, last.reasoning) == ("Tomorrow.", "hm")


@pytest.mark.parametrize("text", ["Close it with `</think>`.", "Use </think> to close.", "[1] and <b>2</b>"])
def test_an_answer_about_marks_is_an_answer(text: str) -> None:
    assert answer(pair(completion({"content": text}))) == text


@pytest.mark.parametrize(
    "reason",
    [
        "content_filtered",
        "PROHIBITED_CONTENT",
        "guardrail_intervened",
        "pause_turn",
        "time_limit",
        "MAX_TOKENS",
    ],
)
def test_an_answer_that_was_stopped_is_not_learned_to_its_end(reason: str) -> None:
    assert conversation(pair(completion(ANSWERED, finish_reason=reason))).messages[-1].cut_off


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "a-1", "created": TS, "choices": [{"index": 0, "delta": delta}]}


CHUNKS = [chunk(role="assistant", content="Tomor"), chunk(content="row.")]
OLLAMA = [
    {"message": {"role": "assistant", "content": "Tomor"}, "done": False},
    {"message": {"role": "assistant", "content": "row."}, "done": True, "done_reason": "stop"},
]


@pytest.mark.parametrize(
    "response",
    [
        [orjson.dumps(one).decode() for one in CHUNKS] + ["[DONE]"],
        ["data: " + orjson.dumps(one).decode() for one in CHUNKS] + ["data: [DONE]"],
        {"chunks": CHUNKS},
        OLLAMA,
        "\n".join(orjson.dumps(one).decode() for one in OLLAMA),
    ],
)
def test_a_stream_is_assembled_however_its_pieces_are_kept(response: Any) -> None:
    assert answer(pair(response)) == "Tomorrow."


def test_a_call_that_each_piece_names_has_its_name_once() -> None:
    pieces = [
        chunk(tool_calls=[{"index": 0, "function": {"name": "track", "arguments": text}}]) for text in "{}"
    ]

    assert [call.name for call in conversation(pair(pieces)).messages[-1].tool_calls] == ["track"]


@pytest.mark.parametrize(
    "response",
    [
        {"detail": "Not Found"},
        {"detail": [{"loc": ["body"], "msg": "field required"}]},
        {"errors": [{"message": "x"}]},
        {"message": "API rate limit exceeded"},
        {"message": "no", "code": 429},
        {"success": False},
        "<html><head><title>502 Bad Gateway</title></head></html>",
        "\n<!DOCTYPE html><html></html>",
        completion({"content": ""}, error={"code": 502}),
    ],
)
def test_an_answer_of_something_else_than_a_model_is_a_failure(response: Any) -> None:
    assert absence(pair(response)) is Absence.FAILED


@pytest.mark.parametrize("choices", [None, [], [None], [{"index": 0, "message": None}]])
def test_no_choice_is_no_answer(choices: Any) -> None:
    assert absence(pair({"id": "a-1", "choices": choices})) is Absence.NO_ANSWER


def test_the_index_of_a_choice_may_be_a_text() -> None:
    choices = [{"index": "1", "message": {"content": "No."}}, {"index": None, "message": ANSWERED}]

    assert answer(pair({"id": "a-1", "choices": choices})) == "Tomorrow."


LITELLM: dict[str, Any] = {
    "id": "a-1", "call_type": "acompletion", "status": "success", "startTime": TS, "response": completion(ANSWERED),
}  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [{"messages": [ASKED]}, orjson.dumps({"messages": [ASKED]}).decode(), {"body": {"messages": [ASKED]}}],
)
def test_litellm_may_keep_the_messages_in_the_request_alone(request_: Any) -> None:
    assert answer(LITELLM | {"messages": {}, "proxy_server_request": request_}) == "Tomorrow."


def test_the_owner_of_a_key_of_litellm_is_not_its_user() -> None:
    row = LITELLM | {"messages": [ASKED], "user": "owner", "end_user": "u-1"}

    assert conversation(row).user_id == "u-1"
    assert absence(LITELLM) is Absence.NO_QUESTION


def test_scores_of_langfuse_may_stand_by_their_names() -> None:
    scores = {"thumb": {"value": 1, "dataType": "BOOLEAN", "source": "API"}, "length": 3}
    row = {
        "id": "g-1",
        "traceId": "t-1",
        "startTime": TS,
        "input": [ASKED],
        "output": ANSWERED,
        "scores": scores,
    }

    assert conversation(row).feedback == Feedback(thumb="up")


def test_a_score_of_a_trace_is_about_its_last_generation() -> None:
    def event(kind: str, **body: Any) -> dict[str, Any]:
        return {"id": kind, "type": kind, "timestamp": TS, "body": {"traceId": "t-1", **body}}

    generations = [
        event("generation-create", id=id_, input=[ASKED], output=ANSWERED) for id_ in ("g-1", "g-2")
    ]
    score = event("score-create", id="s-1", name="thumb", value=1, dataType="BOOLEAN")
    *_, late = read({"batch": [score, *generations, score]})

    assert isinstance(late, FeedbackRecord)
    assert late.conversation_id == "g-2"


PREFERENCES: dict[str, dict[str, Any]] = {
    "alpaca": {"instruction": "Where?", "input": ""},
    "question": {"question": "Where?"},
    "sharegpt": {"conversations": [{"from": "human", "value": "Where?"}]},
    "messages": {"messages": [ASKED]},
}


@pytest.mark.parametrize("row", PREFERENCES.values(), ids=PREFERENCES.keys())
def test_the_prompt_of_a_preference_has_many_names(row: dict[str, Any]) -> None:
    found = conversation(row | {"chosen": "Tomorrow.", "rejected": "No."})

    assert [turn.content for turn in found.messages] == ["Where?", "Tomorrow."]
    assert found.rejected == Message(role="assistant", content="No.")
    assert REJECTED not in found.metadata


def test_a_preference_may_hold_the_dialogue_in_one_text() -> None:
    chosen = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Where?\n\nAssistant: Tomorrow."
    found = conversation({"chosen": chosen, "rejected": chosen + " No."})

    assert [(turn.role, turn.content, turn.learned) for turn in found.messages] == [
        ("user", "Hi", True), ("assistant", "Hello", False), ("user", "Where?", True), ("assistant", "Tomorrow.", True),
    ]  # fmt: skip
    assert found.rejected == Message(role="assistant", content="Tomorrow. No.")


@pytest.mark.parametrize(
    "rejected",
    [
        "No.",
        {"role": "assistant", "content": "No."},
        [{"role": "assistant", "content": "No."}],
        [ASKED, {"role": "assistant", "content": "No."}],
        [{"from": "gpt", "value": "No."}],
    ],
)
def test_a_rejected_answer_is_written_as_the_chosen_one_may_be(rejected: Any) -> None:
    row = {"prompt": ASKED["content"], "chosen": [ASKED, ANSWERED], "rejected": rejected}

    assert conversation(row).rejected == Message(role="assistant", content="No.")


@pytest.mark.parametrize(
    "rejected",
    [
        [{"role": "user", "content": "Another question"}, {"role": "assistant", "content": "No."}],
        [ASKED],
        {"role": "nobody", "content": ["?"]},
        7,
    ],
)
def test_what_is_no_other_answer_to_the_prompt_is_kept_as_it_was_written(rejected: Any) -> None:
    found = conversation({"prompt": ASKED["content"], "chosen": [ASKED, ANSWERED], "rejected": rejected})

    assert (found.rejected, found.metadata[REJECTED]) == (None, rejected)


@pytest.mark.parametrize("rejected", [None, ANSWERED["content"], [ANSWERED]])
def test_an_answer_is_not_preferred_over_itself(rejected: Any) -> None:
    found = conversation({"prompt": ASKED["content"], "chosen": ANSWERED["content"], "rejected": rejected})

    assert (found.rejected, found.messages[-1].content) == (None, ANSWERED["content"])


@pytest.mark.parametrize("name", ["kto_tag", "label"])
def test_the_last_answer_of_an_unwanted_row_is_disliked(name: str) -> None:
    found = conversation({"messages": [ASKED, ANSWERED, ASKED, ANSWERED], name: False})

    assert [one.learned for one in found.messages if one.role == "assistant"] == [False, True]
    assert found.feedback == Feedback(thumb="down")


@pytest.mark.parametrize("name", ["kto_tag", "label"])
def test_an_unwanted_answer_that_a_user_liked_is_not_learned(name: str) -> None:
    found = conversation({"messages": [ASKED, ANSWERED], name: False, "feedback": {"thumb": "up"}})

    assert (found.messages[-1].learned, found.feedback) == (False, Feedback(thumb="up"))


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Where?", "context": "", "response": "Tomorrow."},
        {"prompt": "Where?", "response": "Tomorrow."},
        {"conversation": [{"from": "User", "value": "Where?"}, {"from": "Assistant", "value": "Tomorrow."}]},
        {"messages": [ASKED, {**ANSWERED, "weight": "1"}]},
    ],
)
def test_rows_of_other_makers_are_read(row: dict[str, Any]) -> None:
    found = conversation(row | {"user_id": "u-1"})

    assert (found.messages[-1].content, found.messages[-1].learned, found.user_id) == (
        "Tomorrow.",
        True,
        "u-1",
    )


def test_a_weight_of_zero_may_be_a_text() -> None:
    assert not conversation({"messages": [ASKED, {**ANSWERED, "weight": "0"}]}).messages[-1].learned


def test_of_several_candidates_of_a_span_the_first_is_the_answer() -> None:
    output = [
        {"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": "stop"}
        for text in ("Tomorrow.", "No.")
    ]
    span = {
        "span_id": "s-1",
        "end_time": TS,
        "attributes": {
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Where?"}]}],
            "gen_ai.output.messages": output,
            "traceloop.association.properties.user_id": "u-1",
            "traceloop.association.properties.session_id": "s-9",
        },
    }
    found = conversation(span)

    assert (found.messages[-1].content, found.user_id, found.session_id) == ("Tomorrow.", "u-1", "s-9")


TEXT = orjson.dumps(NATIVE).decode()


@pytest.mark.parametrize(
    "value",
    [
        {"payload": NATIVE},
        {"payload": TEXT, "topic": "chats"},
        {"log": TEXT + "\n", "stream": "stdout", "kubernetes": {}},
        {"@timestamp": "2026-11-20T08:00:00Z", "message": TEXT, "host": "a"},
        {"Type": "Notification", "Message": TEXT},
        {"detail-type": "chat", "detail": NATIVE},
        orjson.dumps({"log": orjson.dumps({"message": TEXT}).decode()}),
    ],
)
def test_what_shippers_of_logs_put_around_a_record_is_taken_off(value: Any) -> None:
    assert conversation(value).conversation_id == "c-1"


@pytest.mark.parametrize(
    "change", [{"op": "t", "source": {}, "ts_ms": 1}, {"operationType": "drop", "ns": {"db": "a"}}]
)
def test_a_change_of_no_row_is_passed_over(change: Any) -> None:
    assert read(change) == []


@pytest.mark.parametrize(
    "ts",
    [
        "/Date(1795521540000)/",
        "/Date(1795521540000+0100)/",
        "1.79552154e9",
        {"epochSecond": TS, "nano": 5},
        {"__type": "Date", "iso": "2026-11-24T11:59:00.000Z"},
    ],
)
def test_times_of_other_producers_are_read(ts: Any) -> None:
    assert int(conversation(NATIVE | {"ts": ts}).at.timestamp()) == TS


@pytest.mark.parametrize("ts", [46346.5, "46346.5", 20261120])
def test_numbers_of_days_and_dates_are_no_times(ts: Any) -> None:
    assert (refusal(NATIVE | {"ts": ts}).reason, refusal(NATIVE | {"ts": ts}).field) == (
        Reason.BAD_FIELD,
        "ts",
    )


@pytest.mark.parametrize("ts", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00", ""])
def test_the_zero_of_go_and_net_is_no_time(ts: str) -> None:
    assert conversation(NATIVE | {"ts": ts}).at == NOW


@pytest.mark.parametrize(
    ("role", "means"),
    [
        ("User:", "user"), ("HumanMessage", "user"), ("ROLE_USER", "user"), ("用户", "user"), ("usuario", "user"),
        ("助手", "assistant"), ("AIMessage", "assistant"), ("assistant_message", "assistant"), ("系统", "system"),
    ],
)  # fmt: skip
def test_roles_are_known_by_other_names(role: str, means: str) -> None:
    messages = [{"role": role, "content": "Hi"}, ASKED, ANSWERED, ASKED]

    assert conversation(NATIVE | {"messages": messages}).messages[0].role == means


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "human", "content": "Where?"}, {"type": "ai", "content": "Tomorrow."}],
        [{"type": "human", "data": {"content": "Where?"}}, {"type": "ai", "data": {"content": "Tomorrow."}}],
        [
            {"type": "constructor", "kwargs": {"type": "human", "content": "Where?"}},
            {"type": "constructor", "kwargs": {"type": "ai", "content": "Tomorrow."}},
        ],
        [{"sender": "user", "text": "Where?"}, {"sender": "bot", "text": "Tomorrow."}],
        [{"author": {"role": "user"}, "content": "Where?"}, {"author": "assistant", "content": "Tomorrow."}],
        [None, ASKED, ANSWERED],
        [
            {"role": "user", "content": "\u200b\ufeff"},
            ASKED,
            ANSWERED,
            {"role": "assistant", "content": "\u200b"},
        ],
    ],
)
def test_messages_of_other_producers_are_read(messages: Any) -> None:
    found = conversation(NATIVE | {"messages": messages})

    assert [(turn.role, turn.content) for turn in found.messages] == [
        ("user", "Where?"),
        ("assistant", "Tomorrow."),
    ]


@pytest.mark.parametrize(
    ("feedback", "read_as"),
    [
        ({"value": 1, "type": "thumb"}, Feedback(thumb="up")),
        ({"value": -1, "type": "vote"}, Feedback(thumb="down")),
        ({"thumbs_up": 1, "thumbs_down": 0}, Feedback(thumb="up")),
        ({"thumbs_up": False, "thumbs_down": True}, Feedback(thumb="down")),
        ({"dislike": True}, Feedback(thumb="down")),
        ({"satisfaction_rating": {"score": "good"}}, Feedback(thumb="up")),
        ({"feedback": {"value": "up"}}, Feedback(thumb="up")),
        ([{"thumb": "up"}, {"rating": 2}, {"thumb": "down"}], Feedback(thumb="down", rating=2.0)),
        ({"rating": 4, "max": 5}, Feedback(rating=4.0)),
        ("Great!", Feedback(thumb="up")),
        # Never guessed:
        ({"thumbs_up": False}, None),
        ({"thumbs_up": True, "thumbs_down": True}, None),
        ({"rating": 4, "scale": 10}, None),
        ({"comment": "bad"}, None),
        ([], None),
        ([[]], None),
        (0, None),
    ],
)  # fmt: skip
def test_opinions_of_other_producers_are_read_and_never_guessed(
    feedback: Any, read_as: Feedback | None
) -> None:
    assert conversation(NATIVE | {"feedback": feedback}).feedback == read_as


@pytest.mark.parametrize("record", [
    {"message_id": "a-1", "rating": "like", "user": "u-1", "created_at": TS},
    {"conversation_id": "a-1", "thumb": "up", "user_id": "u-1", "ts": TS},
    {"completion_id": "a-1", "feedback": [{"thumb": "up"}], "userId": "u-1"},
])  # fmt: skip
def test_late_feedback_names_an_answer_or_its_conversation(record: Any) -> None:
    (found,) = read(record)

    assert isinstance(found, FeedbackRecord)
    assert (found.conversation_id, found.user_id, found.feedback) == ("a-1", "u-1", Feedback(thumb="up"))


HEADERS = {"X-User-Id": "u-1", "x-session-id": ["s-1"], "x-tenant-id": "acme", "authorization": "secret"}


@pytest.mark.parametrize(
    "record",
    [
        PAIR | {"headers": HEADERS},
        PAIR | {"request_headers": HEADERS},
        {"request": {"headers": HEADERS, "body": PAIR["request"]}, "response": PAIR["response"]},
        {
            "request": {"method": "POST", "headers": HEADERS, "body": orjson.dumps(PAIR["request"]).decode()},
            "response": {"status": 200, "body": orjson.dumps(PAIR["response"]).decode()},
        },
    ],
)
def test_headers_name_user_session_and_tenant(record: Any) -> None:
    found = conversation(record)

    assert (found.user_id, found.session_id, found.metadata["tenant_id"]) == ("u-1", "s-1", "acme")


@pytest.mark.parametrize(
    "more",
    [
        {"user": {"sub": "u-1"}},
        {"user": {"id": {"$oid": "u-1"}}},
        {"user": {"email": "u-1"}},
        {"user": ["u-1"]},
        {"user_id": "undefined", "uid": "u-1"},
        {"metadata": '{"user_id": "u-1"}'},
        {"metadata": {"_user": "u-1"}},
        {"context": {"user_id": "u-1"}},
        {"response": completion(ANSWERED) | {"user_id": "u-1"}},
    ],
)
def test_a_user_is_found_wherever_a_record_names_one(more: dict[str, Any]) -> None:
    assert conversation(PAIR | more).user_id == "u-1"


@pytest.mark.parametrize(
    "value", [b"5", b"null", b"{}", b"[]", b'""', b"{'a': 1}", b"[" * 1200, b'{"messages":NaN}']
)
def test_what_is_no_record_is_refused(value: bytes) -> None:
    refusal(value)
