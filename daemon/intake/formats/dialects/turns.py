"""Makes turns of what was said, and conversations of turns."""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, Message, Role, ToolCall
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects.content import Content, checked_text, is_blank
from daemon.intake.formats.dialects.reasoning import holds_reasoning, split_inline
from daemon.intake.formats.dialects.tools import is_call
from daemon.intake.formats.reading import Reading

#: What gateways put in the place of a text that they do not log, in lower case.
_REDACTED = frozenset(
    {"redacted-by-litellm", "redacted by litellm", "[redacted]", "<redacted>", "(redacted)", "{redacted}",
     "***redacted***", "__redacted__", "redacted"}
)  # fmt: skip
_LONGEST_REDACTED = max(map(len, _REDACTED))
#: Reasons for which a model stopped before its answer was complete, in lower case.
_CUT_OFF = frozenset(
    {"length", "content_filter", "max_tokens", "incomplete", "max_output_tokens", "model_length", "safety",
     "model_context_window_exceeded", "abort", "aborted", "error", "cancelled", "canceled", "user_cancelled",
     "in_progress", "recitation", "content_filtered", "guardrail_intervened", "prohibited_content", "blocklist", "spii",
     "image_safety", "language", "malformed_function_call", "malformed_tool_use", "insufficient_system_resource",
     "pause_turn", "time_limit", "timeout", "repetition", "error_toxic", "error_limit", "network_error"}
)  # fmt: skip


#: How an answer may begin that holds its reasoning.
_BEFORE_REASONING = "<[◁ \t\r\n"


def is_redacted(text: str) -> bool:
    """Return whether a text is the placeholder of a gateway that logs no contents."""
    return len(text) <= _LONGEST_REDACTED and text.strip().lower() in _REDACTED


def is_plain(text: str, longest: int) -> bool:
    """Return whether a text says something, is at most so long, and is a turn as it stands.

    It is not if it may be a gateway's placeholder, holds reasoning, or must be refused.
    """
    length = len(text)
    return 0 < length <= longest and not (
        "think>" in text
        or text[0] in _BEFORE_REASONING
        or "\0" in text
        or is_blank(text)
        or (length <= _LONGEST_REDACTED and is_redacted(text))
    )


def is_cut_off(finish_reason: JSON) -> bool:
    """Return whether an answer ended before it was complete."""
    return isinstance(finish_reason, str) and finish_reason.lower() in _CUT_OFF


def is_learned(message: Object) -> bool:
    """Return whether a turn may be a target: not if its producer gave it the weight 0, or says that it is no target."""
    weight = message.get("weight")
    if weight == 0 or (isinstance(weight, str) and weight.strip() in ("0", "0.0")):
        return False
    return all(message.get(name) is not False for name in ("learned", "train", "trainable", "loss"))


def plain_turn(role: Role, text: str, at: str, reading: Reading, *, name: str | None = None) -> list[Message]:
    """Return the turn of a system or a user; none if it is empty. Raises BadRecord, NoConversation."""
    said = _checked(text, at, reading)
    return [Message(role=role, content=said, name=name)] if said else []


def tool_turn(
    text: str, at: str, reading: Reading, *, call_id: str | None, name: str | None = None
) -> list[Message]:
    """Return a tool's result, which may be empty. Raises BadRecord, NoConversation."""
    return [Message(role="tool", content=_checked(text, at, reading), tool_call_id=call_id, name=name)]


def assistant_turn(
    content: Content,
    at: str,
    reading: Reading,
    *,
    separator: str = "\n",
    reasoning: str | None = None,
    calls: Sequence[ToolCall] = (),
    learned: bool = True,
    cut_off: bool = False,
    name: str | None = None,
) -> list[Message]:
    """Return an assistant's turn; none if it is empty. Raises BadRecord, NoConversation."""
    text = content.text(separator)
    thought = reasoning or content.reasoning
    if holds_reasoning(text, opened=thought is not None):
        inline, text = split_inline(text)
        thought = thought or inline
    said = _checked(text, at, reading)
    if thought is not None:
        thought = _checked(thought, at, reading) or None
    if not said and thought is None and not calls:
        return []
    return [
        Message(
            role="assistant",
            content=said,
            reasoning=thought,
            tool_calls=tuple(calls),
            name=name,
            learned=learned and not content.has_media and all(map(is_call, calls)),
            cut_off=cut_off,
        )
    ]


def in_conversation(turns: Iterable[Message], at: str, *, joins: bool = False) -> tuple[Message, ...]:
    """Join consecutive turns of one role with a line break. Raises NoConversation if nobody asks or nobody answers.

    A single turn passes where it ``joins`` others: its record names the conversation that it is one message of.
    """
    joined = tuple(turns)
    roles = [turn.role for turn in joined]
    if any(role == before and role != "tool" for role, before in pairwise(roles)):
        # Tools answer one call each; what is no target must not hide what is one.
        runs = groupby(
            enumerate(joined), lambda at: (at[1].role, at[1].learned, at[0] if at[1].role == "tool" else 0)
        )
        joined = tuple(_one_turn([turn for _, turn in run]) for _, run in runs)
    if joins and len([role for role in roles if role != "system"]) == 1:
        return joined
    if "user" not in roles:
        raise NoConversation(Absence.NO_QUESTION, at, "has no user turn")
    if "assistant" not in roles:
        raise NoConversation(Absence.NO_ANSWER, at, "has no assistant turn")
    return joined


def optional_speaker(message: Object, at: str) -> str | None:
    """Return the name of the speaker or tool; None if there is none. Raises BadRecord."""
    return fields.optional_name(message, "name", f"{at}.") if message.get("name") else None


def _one_turn(run: Sequence[Message]) -> Message:
    first, last = run[0], run[-1]
    if len(run) == 1:
        return first
    return Message(
        role=first.role,
        content="\n".join(turn.content for turn in run if turn.content),
        reasoning="\n".join(turn.reasoning for turn in run if turn.reasoning) or None,
        tool_calls=tuple(call for turn in run for call in turn.tool_calls),
        name=first.name if all(turn.name == first.name for turn in run) else None,
        learned=first.learned,
        cut_off=last.cut_off,
    )


def _checked(text: str, at: str, reading: Reading) -> str:
    if is_redacted(text):
        raise NoConversation(Absence.REDACTED, at, "is a placeholder: the gateway does not log texts")
    return checked_text(text, at, reading)
