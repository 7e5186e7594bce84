"""The same conversation as each log format writes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from daemon.domain.conversation import Message, ToolCall
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.envelopes.kserve import Halves

TS = 1_795_521_540
PLAIN = (
    Message(role="system", content="You help."),
    Message(role="user", content="Where is my parcel?"),
    Message(role="assistant", content="It comes tomorrow."),
)
CALL = ToolCall(name="track", arguments='{"parcel":"P7"}', id="call_1")
WITH_TOOLS = (
    *PLAIN[:2],
    Message(role="assistant", content="", tool_calls=(CALL,)),
    Message(role="tool", content='{"eta":"tomorrow"}', tool_call_id="call_1"),
    PLAIN[2],
)
TOOL: Object = {"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}
#: What producers add to a record: fields that admission needs, and one that nobody knows.
ADDED: dict[str, Any] = {"tenant": "acme", "consent": True, "plan": "gold"}
Turns = Sequence[Message]


def chat(turn: Message) -> dict[str, Any]:
    """A message of the OpenAI chat API."""
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.tool_calls:
        message |= {
            "content": None,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in turn.tool_calls
            ],
        }
    return message if turn.tool_call_id is None else message | {"tool_call_id": turn.tool_call_id}


def block(turn: Message) -> dict[str, Any]:
    """A message of the Anthropic Messages API."""
    if turn.role == "tool":
        result = {"type": "tool_result", "tool_use_id": turn.tool_call_id, "content": turn.content}
        return {"role": "user", "content": [result]}
    said = [{"type": "text", "text": turn.content}] if turn.content else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": orjson.loads(call.arguments)}
        for call in turn.tool_calls
    ]
    return {"role": turn.role, "content": [*said, *calls]}


def item(turn: Message) -> dict[str, Any]:
    """An item of the OpenAI Responses API."""
    if turn.role == "tool":
        return {"type": "function_call_output", "call_id": turn.tool_call_id, "output": turn.content}
    if turn.tool_calls:
        call = turn.tool_calls[0]
        return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
    kind = "output_text" if turn.role == "assistant" else "input_text"
    return {"type": "message", "role": turn.role, "content": [{"type": kind, "text": turn.content}]}


def parts(turn: Message) -> dict[str, Any]:
    """A message of OpenTelemetry's conventions."""
    if turn.role == "tool":
        return {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": turn.tool_call_id, "response": turn.content}],
        }
    said = [{"type": "text", "content": turn.content}] if turn.content else []
    calls = [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": orjson.loads(call.arguments)}
        for call in turn.tool_calls
    ]
    return {"role": turn.role, "parts": [*said, *calls]}


def share(turn: Message) -> dict[str, Any]:
    """A turn of ShareGPT's files."""
    names = {"user": "human", "assistant": "gpt"}
    return {"from": names.get(turn.role, turn.role), "value": turn.content}


def completion(answer: Message) -> dict[str, Any]:
    """A response of the OpenAI chat API."""
    choice = {"index": 0, "message": chat(answer), "finish_reason": "stop"}
    return {"id": "a-1", "object": "chat.completion", "created": TS, "model": "bot-v2", "choices": [choice]}


def request_of(turns: Turns) -> dict[str, Any]:
    """A request of the OpenAI chat API."""
    return {"model": "bot", "messages": [chat(turn) for turn in turns], "tools": [TOOL]}


def native(turns: Turns) -> dict[str, Any]:
    return {
        "conversation_id": "a-1", "ts": TS, "session_id": "s-1", "user_id": "u-1", "model_version": "bot-v2",
        "messages": [chat(turn) for turn in turns], "tools": [TOOL], **ADDED,
    }  # fmt: skip


def pair(turns: Turns) -> dict[str, Any]:
    request = request_of(turns[:-1]) | {"user": "u-1", "metadata": {"session_id": "s-1"}}
    return {"request": request, "response": completion(turns[-1]), **ADDED}


def pair_of_responses(turns: Turns) -> dict[str, Any]:
    request = {
        "input": [item(turn) for turn in turns[:-1]], "safety_identifier": "u-1", "conversation": {"id": "s-1"},
        "tools": [{"type": "function", "name": "track", "parameters": {"type": "object"}}],
    }  # fmt: skip
    response = {"id": "a-1", "object": "response", "created_at": TS, "model": "bot-v2", "status": "completed"}
    return {"request": request, "response": response | {"output": [item(turns[-1])]}, **ADDED}


def pair_of_anthropic(turns: Turns) -> dict[str, Any]:
    request = {
        "system": turns[0].content, "messages": [block(turn) for turn in turns[1:-1]], "metadata": {"user_id": "u-1"},
        "tools": [{"name": "track", "input_schema": {"type": "object"}}],
    }  # fmt: skip
    response = {"id": "a-1", "type": "message", "model": "bot-v2", "stop_reason": "end_turn"}
    return {
        "timestamp": TS,
        "session_id": "s-1",
        "request": request,
        "response": response | block(turns[-1]),
        **ADDED,
    }


def litellm(turns: Turns) -> dict[str, Any]:
    return {
        "id": "a-1", "trace_id": "t-1", "call_type": "acompletion", "status": "success", "startTime": TS,
        "endTime": TS + 1.5, "model_group": "bot", "messages": [chat(turn) for turn in turns[:-1]],
        "response": completion(turns[-1]), "end_user": "u-1", "metadata": {"requester_metadata": {"session_id": "s-1"}},
        "model_parameters": {"tools": [TOOL]}, **ADDED,
    }  # fmt: skip


def otel(turns: Turns) -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": "chat", "gen_ai.conversation.id": "s-1", "gen_ai.response.id": "a-1",
        "gen_ai.response.model": "bot-v2", "user.id": "u-1", "gen_ai.tool.definitions": orjson.dumps([TOOL]).decode(),
        "gen_ai.input.messages": [parts(turn) for turn in turns[:-1]],
        "gen_ai.output.messages": orjson.dumps([parts(turns[-1]) | {"finish_reason": "stop"}]).decode(), **ADDED,
    }  # fmt: skip
    name = "gen_ai.client.inference.operation.details"
    return {"name": name, "timeUnixNano": str(TS * 10**9), "attributes": attributes}


def otel_export(turns: Turns) -> dict[str, Any]:
    event = otel(turns)
    pairs = [
        {
            "key": key,
            "value": {"stringValue": value if isinstance(value, str) else orjson.dumps(value).decode()},
        }
        for key, value in event["attributes"].items()
        if key != "consent"
    ]
    pairs.append({"key": "consent", "value": {"boolValue": True}})
    record = {"timeUnixNano": event["timeUnixNano"], "eventName": event["name"], "attributes": pairs}
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


def openinference(turns: Turns) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, several in (("input", turns[:-1]), ("output", turns[-1:])):
        for index, turn in enumerate(several):
            start = f"llm.{name}_messages.{index}.message"
            flat |= {f"{start}.role": turn.role, f"{start}.content": turn.content}
            if turn.tool_call_id:
                flat[f"{start}.tool_call_id"] = turn.tool_call_id
            for number, call in enumerate(turn.tool_calls):
                at = f"{start}.tool_calls.{number}.tool_call"
                flat |= {
                    f"{at}.id": call.id,
                    f"{at}.function.name": call.name,
                    f"{at}.function.arguments": call.arguments,
                }
    flat |= {
        "openinference.span.kind": "LLM", "llm.model_name": "bot-v2", "session.id": "s-1", "user.id": "u-1",
        "llm.tools.0.tool.json_schema": orjson.dumps(TOOL).decode(), "metadata": orjson.dumps(ADDED).decode(),
    }  # fmt: skip
    return {"context": {"span_id": "a-1"}, "end_time": TS, "attributes": flat}


def langfuse(turns: Turns) -> dict[str, Any]:
    return {
        "id": "a-1", "traceId": "t-1", "type": "GENERATION", "startTime": TS, "model": "bot-v2", "userId": "u-1",
        "sessionId": "s-1", "input": {"messages": [chat(turn) for turn in turns[:-1]], "tools": [TOOL]},
        "output": chat(turns[-1]), "metadata": dict(ADDED),
    }  # fmt: skip


def langfuse_batch(turns: Turns) -> dict[str, Any]:
    generation = {
        "id": "a-1", "traceId": "t-1", "startTime": TS, "model": "bot-v2",
        "input": {"messages": [chat(turn) for turn in turns[:-1]], "tools": [TOOL]}, "output": chat(turns[-1]),
    }  # fmt: skip
    trace = {"id": "t-1", "userId": "u-1", "sessionId": "s-1", "metadata": dict(ADDED)}
    events = (("generation-create", generation), ("trace-create", trace))
    return {"batch": [{"id": kind, "timestamp": TS, "type": kind, "body": body} for kind, body in events]}


def kserve(turns: Turns) -> dict[str, Any]:
    halves: Halves[None] = Halves()
    asked = request_of(turns[:-1]) | {"user": "u-1", "metadata": {"session_id": "s-1", **ADDED}}
    joined: Object | None = None
    for kind, data in (("response", completion(turns[-1])), ("request", asked)):
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": "e-1",
            "type": f"org.kubeflow.serving.inference.{kind}",
            "data": data,
        }
        joined = halves.join(event, None)
    assert joined is not None
    return dict(joined)


def kong(turns: Turns) -> dict[str, Any]:
    return apisix(turns) | {"latencies": {"request": 7}, "started_at": TS * 1000}


def apisix(turns: Turns) -> dict[str, Any]:
    asked = orjson.dumps(request_of(turns[:-1]) | {"user": "u-1"}).decode()
    headers = {"x-session-id": "s-1"}
    return {
        "request": {"uri": "/v1/chat/completions", "method": "POST", "headers": headers, "body": asked},
        "response": {"status": 200, "body": orjson.dumps(completion(turns[-1])).decode()}, **ADDED,
    }  # fmt: skip


def row(turns: Turns) -> dict[str, Any]:
    return {
        "id": "a-1", "timestamp": TS, "user": "u-1", "thread_id": "s-1", "model": "bot-v2",
        "messages": [chat(turn) for turn in turns], "tools": [TOOL], **ADDED,
    }  # fmt: skip


def sharegpt_row(turns: Turns) -> dict[str, Any]:
    who: dict[str, Any] = {
        "id": "a-1",
        "timestamp": TS,
        "user": "u-1",
        "thread_id": "s-1",
        "model": "bot-v2",
        "tools": [TOOL],
    }
    return who | {"conversations": [share(turn) for turn in turns], **ADDED}


def alpaca_row(turns: Turns) -> dict[str, Any]:
    system, user, assistant = turns
    who: dict[str, Any] = {"id": "a-1", "timestamp": TS, "user": "u-1", "thread_id": "s-1", "model": "bot-v2"}
    said = {"system": system.content, "instruction": user.content, "input": "", "output": assistant.content}
    return who | said | ADDED


def preference_row(turns: Turns) -> dict[str, Any]:
    said = {
        "prompt": [chat(turn) for turn in turns[:-1]],
        "chosen": [chat(turns[-1])],
        "rejected": "No idea.",
    }
    who: dict[str, Any] = {
        "id": "a-1",
        "timestamp": TS,
        "user": "u-1",
        "thread_id": "s-1",
        "model": "bot-v2",
        "tools": [TOOL],
    }
    return who | said | ADDED


@dataclass(frozen=True, kw_only=True)
class Written:
    """How a format writes a conversation."""

    format: str
    write: Callable[[Turns], dict[str, Any]]
    has_tools: bool = True


WRITTEN = {
    "native": Written(format="native", write=native),
    "pair, chat": Written(format="pair", write=pair),
    "pair, Responses": Written(format="pair", write=pair_of_responses),
    "pair, Anthropic": Written(format="pair", write=pair_of_anthropic),
    "LiteLLM": Written(format="litellm", write=litellm),
    "OpenTelemetry": Written(format="otel", write=otel),
    "OpenTelemetry, exported": Written(format="otel", write=otel_export),
    "OpenInference": Written(format="openinference", write=openinference),
    "Langfuse": Written(format="langfuse", write=langfuse),
    "Langfuse, batch": Written(format="langfuse", write=langfuse_batch),
    "KServe": Written(format="kserve", write=kserve),
    "Kong": Written(format="kong", write=kong),
    "APISIX": Written(format="apisix", write=apisix),
    "messages": Written(format="rows", write=row),
    "ShareGPT": Written(format="rows", write=sharegpt_row, has_tools=False),
    "Alpaca": Written(format="rows", write=alpaca_row, has_tools=False),
    "preferences": Written(format="preferences", write=preference_row),
}
