"""Rows of fine-tuning files: OpenAI's messages, ShareGPT's conversations, Alpaca's instructions, prompts with completions."""

from collections.abc import Sequence
from dataclasses import replace

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import Conversation, Message, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.bare import read_bare_answer, read_bare_request
from daemon.intake.formats.calls.openai_chat import read_request
from daemon.intake.formats.calls.types import Request
from daemon.intake.formats.dialects import alpaca
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.row import conversation_of_row

_READ = frozenset({"messages", "conversations", "conversation", "system", "tools", "functions", "documents"})


class RowsFormat:
    """A row of a training file. It needs no id and no time: its digest and the time of the file stand for them."""

    name = "rows"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has one of the shapes of training files."""
        return (
            "messages" in record
            or isinstance(record.get("conversations"), list)
            or isinstance(record.get("conversation"), list)
            or alpaca.writes(record)
            or _completes(record)
        )

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation. Raises BadRecord, NoConversation."""
        if _completes(record):
            return (_prompt_and_completion(record, reading),)
        if alpaca.writes(record):
            turns = alpaca.read(record, reading)
            return (conversation_of_row(record, Request(turns=tuple(turns)), alpaca.FIELDS, reading),)
        name = next(name for name in ("messages", "conversations", "conversation") if name in record)
        asked = read_request({**record, "messages": record[name]}, "", reading)
        record, judged = _judged(record, asked.turns)
        return (conversation_of_row(record, asked._replace(turns=judged), _READ, reading, at=name),)


def _completes(record: Object) -> bool:
    return "prompt" in record and ("completion" in record or "response" in record)


def _judged(record: Object, turns: tuple[Message, ...]) -> tuple[Object, tuple[Message, ...]]:
    """Return a row that says whether its answer is wanted, with that as its opinion.

    An unwanted answer is one that users disliked, and says nothing of the answers before it.
    """
    label = next((record[name] for name in ("kto_tag", "label") if isinstance(record.get(name), bool)), None)
    if label is None:
        return record, turns
    if record.get("feedback") is not None:
        return record, turns if label else as_context(turns)
    judged = turns if label else (*as_context(turns[:-1]), *turns[-1:])
    return {**record, "feedback": {"thumb": "up" if label else "down"}}, judged


def _prompt_and_completion(record: Object, reading: Reading) -> Conversation:
    """Read a row of TRL's: only the completion may be learned; one that its label calls bad is disliked."""
    asked = as_context(read_bare_request(record["prompt"], "prompt", reading).turns)
    name = "completion" if "completion" in record else "response"
    answer = read_bare_answer(record[name], name, reading).turns
    label = record.get("label")
    if label is not None and not isinstance(label, bool):
        raise BadRecord(Reason.BAD_FIELD, "label", f"must be a boolean, not {fields.kind(label)}")
    record, answer = _judged(record, answer)
    row = Request(turns=(*asked, *answer), tools=tool_definitions(record.get("tools"), "tools"))
    read = frozenset({"prompt", name, "label", "tools"})
    return conversation_of_row(record, row, read, reading, at="prompt")


def as_context(turns: Sequence[Message]) -> tuple[Message, ...]:
    """Return turns of which none is a target."""
    return tuple(replace(turn, learned=False) if turn.role == "assistant" else turn for turn in turns)
