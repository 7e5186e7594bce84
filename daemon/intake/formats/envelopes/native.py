"""The records that this project defines: a conversation with its id and time, and feedback on one."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, Conversation, FeedbackRecord, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.openai_chat import read_request
from daemon.intake.formats.dialects.turns import in_conversation
from daemon.intake.formats.identity import TIME_FIELDS, own_metadata, places_of, session_of, time_of, user_of
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_feedback

_OWN_FIELDS = frozenset(
    {"conversation_id", "ts", "model_line", "model_version", "user_id", "session_id", "messages", "system", "tools",
     "functions", "documents", "feedback", "metadata"}
)  # fmt: skip
#: A record with one of these beside its messages is a log of a call.
_OF_CALLS = frozenset({"response", "call_type", "chosen", "rejected", "choices"})
#: A record without ``conversation_id`` that has one of these is a row, which they name.
_OTHER_IDS = frozenset({"id", "session_id", "thread_id", "chat_id"})


class NativeFormat:
    """A conversation: ``conversation_id``, ``ts`` and ``messages``, in any dialect."""

    name = "native"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has messages and an id or a time of their conversation."""
        if "messages" not in record or not _OF_CALLS.isdisjoint(record):
            return False
        return "conversation_id" in record or ("ts" in record and _OTHER_IDS.isdisjoint(record))

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation. Raises BadRecord, NoConversation."""
        asked = read_request(record, "", reading)
        places = places_of(record)
        id_ = fields.name(record, "conversation_id")
        at_key = "ts" if record.get("ts") is not None else _time_key(record)
        session = session_of(places, but=id_)
        conversation = Conversation(
            conversation_id=id_,
            at=fields.time(record, at_key, reading.received_at, otherwise=reading.recorded_at),
            model_line=fields.optional_name(record, "model_line"),
            model_version=fields.optional_name(record, "model_version"),
            user_id=fields.optional_name(record, "user_id") or user_of(places),
            session_id=session,
            messages=in_conversation(asked.turns, "messages", joins=session is not None),
            tools=asked.tools,
            documents=asked.documents,
            feedback=read_feedback(record.get("feedback"), reading),
            metadata=_metadata(record),
        )
        return (conversation,)


class FeedbackFormat:
    """Feedback that comes after its conversation: ``conversation_id``, ``ts`` and ``feedback``."""

    name = "feedback"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has feedback, and is none of a conversation."""
        if "feedback" in record:
            return "messages" not in record
        return (
            not _OPINIONS.isdisjoint(record)
            and any(name in record for name in _ABOUT)
            and _TURNS.isdisjoint(record)
        )

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the feedback. Raises BadRecord, NoConversation."""
        given = read_feedback(record.get("feedback", record), reading)
        if given is None:
            raise NoConversation(Absence.UNUSABLE_FEEDBACK, "feedback", "holds no opinion that can be read")
        late = FeedbackRecord(
            conversation_id=fields.name(
                record, next((name for name in _ABOUT if record.get(name)), _ABOUT[0])
            ),
            at=time_of([(record, "")], reading, names=_TIMES),
            feedback=given,
            user_id=user_of(places_of(record)),
            model_line=fields.optional_name(record, "model_line"),
            metadata=_metadata(record),
        )
        return (late,)


#: What feedback may name: its conversation, or the answer that it is about.
_ABOUT = (
    "conversation_id", "completion_id", "response_id", "message_id", "run_id", "request_id", "generation_id", "chat_id",
    "session_id",
)  # fmt: skip
#: Fields by which a record is feedback that has no field ``feedback``, if nobody says anything in it.
_OPINIONS = frozenset(
    {"thumb", "thumbs", "rating", "stars", "correction", "liked", "thumbs_up", "thumbs_down", "score"}
)
_TURNS = frozenset(
    {"messages", "request", "response", "input", "output", "prompt", "conversations", "conversation", "instruction",
     "role", "attributes", "body", "dataType"}
)  # fmt: skip
_TIMES = ("ts", *TIME_FIELDS)


def _time_key(record: Object) -> str:
    return next((name for name in TIME_FIELDS if record.get(name) is not None), "ts")


def _metadata(record: Object) -> dict[str, JSON]:
    extra = {name: value for name, value in record.items() if name not in _OWN_FIELDS}
    given = own_metadata(record)
    return fields.metadata({**given, **extra}) if given or extra else {}
