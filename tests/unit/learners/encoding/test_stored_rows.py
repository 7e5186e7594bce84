"""ChatML conversations as the rows that an earlier encoder made of them, token by token."""

import json
from pathlib import Path
from typing import Any

import pytest

from learners.codec import conversation_from_line
from learners.encoding.chat import ChatEncoder
from tests.support.chat_templates import tokenizer

_STORED = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "encoded_rows" / "chatml.json").read_text("utf-8")
)


@pytest.mark.parametrize("stored", _STORED, ids=lambda stored: stored["conversation"]["id"])
def test_rows_are_the_stored_ones(stored: dict[str, Any]) -> None:
    conversation = conversation_from_line(json.dumps(stored["conversation"]))

    encoded = ChatEncoder(tokenizer("trl/qwen2_5")).encode(conversation, max_tokens=200)

    rows = [
        {"ids": list(row.ids), "targets": "".join("-x"[target] for target in row.targets)}
        for row in encoded.rows
    ]
    assert rows == stored["rows"]
    assert dict(encoded.left_out) == stored["left_out"]
