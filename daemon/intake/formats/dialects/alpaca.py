"""A row of Alpaca's files: an instruction, perhaps with an input, and the output."""

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Message
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects.content import Content, read_content
from daemon.intake.formats.dialects.turns import assistant_turn, is_learned, plain_turn
from daemon.intake.formats.reading import Reading

#: All that a row may have; the others are kept as metadata.
FIELDS = frozenset({"instruction", "input", "context", "output", "response", "system", "history", "weight"})


def writes(row: Object) -> bool:
    """Return whether a row has an instruction and an output, Dolly's ``response`` included; several are no row of these."""
    return (
        "instruction" in row
        and not {"output", "response"}.isdisjoint(row)
        and not isinstance(row.get("output"), list)
    )


def read(row: Object, reading: Reading) -> list[Message]:
    """Return the turns of a row, those of its history first. Raises BadRecord, NoConversation."""
    name = "output" if "output" in row else "response"
    answer = Content(texts=[_text(row, name, reading)])
    return asked(row, reading) + assistant_turn(answer, name, reading, learned=is_learned(row))


def asked(row: Object, reading: Reading) -> list[Message]:
    """Return the turns before the answer of a row. Raises BadRecord, NoConversation."""
    turns = plain_turn("system", _text(row, "system", reading), "system", reading)
    turns += _history(row.get("history"), reading)
    texts = [_text(row, name, reading) for name in ("instruction", "input", "context")]
    return turns + plain_turn("user", "\n\n".join(text for text in texts if text), "instruction", reading)


def _history(value: JSON, reading: Reading) -> list[Message]:
    """Read earlier turns: a list of pairs of an instruction and an output."""
    if not isinstance(value, list | None):
        raise BadRecord(Reason.BAD_FIELD, "history", f"must be a list, not {fields.kind(value)}")
    if value is not None and len(value) > reading.limits.messages:
        raise BadRecord(
            Reason.OVER_LIMIT, "history", f"has {len(value)} turns; allowed are {reading.limits.messages}"
        )
    turns: list[Message] = []
    for index, pair in enumerate(value or ()):
        at = f"history[{index}]"
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRecord(Reason.BAD_FIELD, at, "must be a pair of an instruction and an output")
        turns += plain_turn("user", read_content(pair[0], at, reading).text(), at, reading)
        turns += assistant_turn(read_content(pair[1], at, reading), at, reading)
    return turns


def _text(row: Object, name: str, reading: Reading) -> str:
    return read_content(row.get(name), name, reading).text()
