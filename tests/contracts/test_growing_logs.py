"""Logs as chat clients write them, from their JSON to the rows of the ledger: each turn once, after what was sent before it."""

from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from daemon.config.settings import LimitsSection
from daemon.domain.conversation import Conversation
from daemon.domain.records import Coordinates
from daemon.domain.windows import SeqRange
from daemon.intake.decoding import decode
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from tests.factories.chats import routed
from tests.factories.intake import NOW
from tests.factories.ledger import TOPIC, a_batch

TS = 1_795_521_540
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "t", "arguments": '{"p": 1}'}}],
}
RESULT: dict[str, Any] = {"role": "tool", "tool_call_id": "c", "content": "found"}
#: How clients send the call and its result again.
CALL_AGAIN = CALL | {
    "content": "",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "t", "arguments": '{"p":1}'}}],
}
RESULT_AGAIN = RESULT | {"content": [{"type": "text", "text": "found"}]}

Told = tuple[list[str], list[str]]
"""The texts before a row's turns, and those of its turns."""


def turn(text: str) -> dict[str, Any]:
    """A turn of the role that its first letter names."""
    roles = {"q": "user", "a": "assistant", "s": "system"}
    return {"role": roles[text[0]], "content": text}


def call(asked: list[Any], answer: Any, **more: Any) -> dict[str, Any]:
    messages = [turn(one) if isinstance(one, str) else one for one in asked]
    message = {"role": "assistant", "content": answer} if isinstance(answer, str) else answer
    return {"request": {"messages": messages}, "response": {"choices": [{"message": message}]}, **more}


S, U = {"session_id": "chat"}, {"user_id": "someone"}
LOGS: dict[str, tuple[list[dict[str, Any]], list[Told]]] = {
    "calls of tools, sent again in another form": (
        [
            call(["q1"], CALL),
            call(["q1", CALL_AGAIN, RESULT], "a1"),
            call(["q1", CALL, RESULT_AGAIN, "a1", "q2"], "a2"),
        ],
        [
            ([], ["q1", ""]),
            (["q1", ""], ["found", "a1"]),
            (["q1", "", "found", "a1"], ["q2", "a2"]),
        ],
    ),
    "an answer made again": (
        [call(["q1"], "a1"), call(["q1"], "a1 again"), call(["q1", "a1 again", "q2"], "a2")],
        [([], ["q1", "a1"]), ([], ["q1", "a1 again"]), (["q1", "a1 again"], ["q2", "a2"])],
    ),
    "a question edited": (
        [
            call(["q1"], "a1"),
            call(["q1", "a1", "q2"], "a2"),
            call(["q1", "a1", "q2 edited"], "a2 edited"),
            call(["q1", "a1", "q2 edited", "a2 edited", "q3"], "a3"),
        ],
        [
            ([], ["q1", "a1"]),
            (["q1", "a1"], ["q2", "a2"]),
            (["q1", "a1"], ["q2 edited", "a2 edited"]),
            (["q1", "a1", "q2 edited", "a2 edited"], ["q3", "a3"]),
        ],
    ),
    "the time in the system prompt": (
        [call(["s 09:00", "q1"], "a1"), call(["s 09:01", "q1", "a1", "q2"], "a2")],
        [([], ["s 09:00", "q1", "a1"]), (["s 09:01", "q1", "a1"], ["q2", "a2"])],
    ),
    "a history cut by the client": (
        [
            call(["q1"], "a1", **S),
            call(["q1", "a1", "q2"], "a2", **S),
            call(["a1", "q2", "a2", "q3"], "a3", **S),
            call(["q3", "a3", "q4"], "a4", **S),
        ],
        [
            ([], ["q1", "a1"]),
            (["q1", "a1"], ["q2", "a2"]),
            (["a1", "q2", "a2"], ["q3", "a3"]),
            (["q3", "a3"], ["q4", "a4"]),
        ],
    ),
    "a summary in the history's place": (
        [
            call(["q1"], "a1", **S),
            call(["s of q1", "q2"], "a2", **S),
            call(["s of q1", "q2", "a2", "q3"], "a3", **S),
        ],
        [
            ([], ["q1", "a1"]),
            ([], ["s of q1", "q2", "a2"]),
            (["s of q1", "q2", "a2"], ["q3", "a3"]),
        ],
    ),
    "a session for each message": (
        [call([f"q{number}"], f"a{number}", session_id=f"{number}", **U) for number in (1, 2)],
        [([], ["q1", "a1"]), ([], ["q2", "a2"])],
    ),
    "two chats of a user at once": (
        [
            call(["q1"], "a1", **U),
            call(["q of other"], "a of other", **U),
            call(["q1", "a1", "q2"], "a2", **U),
            call(["q of other", "a of other", "q3"], "a3", **U),
        ],
        [
            ([], ["q1", "a1"]),
            ([], ["q of other", "a of other"]),
            (["q1", "a1"], ["q2", "a2"]),
            (["q of other", "a of other"], ["q3", "a3"]),
        ],
    ),
    "reasoning and blanks left out of the history": (
        [call(["q1"], "<think>hm</think>\n\na1 \n"), call(["q1", "a1", "q2"], "a2")],
        [([], ["q1", "a1 \n"]), (["q1", "a1 \n"], ["q2", "a2"])],
    ),
}


def read(record: dict[str, Any], number: int) -> Conversation:
    response = record["response"] | {"id": f"completion-{number}", "created": TS + number}
    value = orjson.dumps(record | {"response": response})
    found = decode(value, limits=LimitsSection(), received_at=NOW)
    assert isinstance(found, Conversation)
    return found


def stored(engine: Engine, records: list[dict[str, Any]]) -> list[Told]:
    intake = IntakeLedger(engine, window_size=20)
    for number, record in enumerate(records):
        at = Coordinates(topic=TOPIC, partition=0, offset=number)
        intake.record(a_batch([routed(read(record, number), at)]))
    ledger = ConversationLedger(engine)
    rows = ledger.with_histories(ledger.between(SeqRange(first=1, last=100)))
    return [
        ([past.message.content for past in row.history], [message.content for message in row.messages])
        for row in rows
    ]


@pytest.mark.parametrize(("records", "told"), LOGS.values(), ids=LOGS.keys())
def test_each_turn_is_stored_once_after_its_history(
    engine: Engine, records: list[dict[str, Any]], told: list[Told]
) -> None:
    assert stored(engine, records) == told
