"""One message a record: logs that write each turn by itself, joined by the session that they name."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import Conversation, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects.messages import read_message
from daemon.intake.formats.dialects.turns import in_conversation
from daemon.intake.formats.identity import digest_id, own_metadata, places_of, session_of, time_of, user_of
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_feedback

_IDS = ("message_id", "messageId", "id", "uuid")
_TAKEN = frozenset(
    {"role", "content", "parts", "metadata", "model_line", "model_version", "model", "feedback", *_IDS}
)


class MessageFormat:
    """``role`` and ``content`` at the top, with the id of the session that the message belongs to."""

    name = "message"

    def recognises(self, record: Object) -> bool:
        """Return whether a record is a message."""
        return "role" in record and ("content" in record or "parts" in record) and "messages" not in record

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the message as a conversation of one turn, which its session continues. Raises BadRecord, NoConversation."""
        places = places_of(record)
        session = session_of(places)
        if session is None:
            raise BadRecord(
                Reason.MISSING_FIELD, "session_id", "is required to join messages that come one by one"
            )
        turns = read_message(record, "", reading)
        if not turns:
            raise NoConversation(Absence.NO_ANSWER, "content", "is empty")
        found = (fields.optional_name(record, name) for name in _IDS)
        conversation = Conversation(
            conversation_id=next((id_ for id_ in found if id_), None) or digest_id(dict(record)),
            at=time_of(places, reading),
            model_line=fields.optional_name(record, "model_line"),
            model_version=fields.optional_name(record, "model_version")
            or fields.optional_name(record, "model"),
            user_id=user_of(places),
            session_id=session,
            messages=in_conversation(turns, "content", joins=True),
            feedback=read_feedback(record.get("feedback"), reading),
            metadata=fields.metadata(
                {**own_metadata(record), **{key: value for key, value in record.items() if key not in _TAKEN}}
            ),
        )
        return (conversation,)
