"""Messages survive JSON, and plain turns stay as short as they were."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.conversation import Message, Role, ToolCall
from daemon.domain.message_json import message_documents, messages_from

_TEXT = st.text(max_size=5)
_CALLS = st.builds(ToolCall, name=_TEXT, arguments=_TEXT, id=st.none() | st.text(min_size=1, max_size=5))
_ROLES = st.sampled_from(list[Role](["system", "user", "assistant", "tool"]))
_MESSAGES = st.builds(
    Message,
    role=_ROLES,
    content=_TEXT,
    reasoning=st.none() | _TEXT,
    tool_calls=st.lists(_CALLS, max_size=2).map(tuple),
    tool_call_id=st.none() | _TEXT,
    name=st.none() | _TEXT,
    learned=st.booleans(),
    cut_off=st.booleans(),
)


@given(st.lists(_MESSAGES, max_size=4))
def test_messages_survive_json(messages: list[Message]) -> None:
    stored = orjson.loads(orjson.dumps(message_documents(messages)))
    assert messages_from(stored) == tuple(messages)


def test_a_plain_turn_has_role_and_content_only() -> None:
    assert message_documents([Message(role="user", content="Hi")]) == [{"role": "user", "content": "Hi"}]
