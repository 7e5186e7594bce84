"""Makes a conversation of a row of a file, which may name neither its id nor its time."""

from daemon.domain.conversation import JSON, Conversation, Message
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.types import Request
from daemon.intake.formats.dialects.turns import in_conversation
from daemon.intake.formats.identity import digest_id, own_metadata, places_of, session_of, time_of, user_of
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_feedback

_IDS = ("id", "conversation_id", "uuid", "prompt_id", "_id")
_TAKEN = frozenset({"model_line", "model_version", "model", "user_id", "session_id", "feedback", "metadata"})


def conversation_of_row(
    record: Object,
    row: Request,
    read: frozenset[str],
    reading: Reading,
    *,
    at: str = "messages",
    rejected: Message | None = None,
    kept: dict[str, JSON] | None = None,
) -> Conversation:
    """Return the conversation of a row whose fields ``read`` make ``row``.

    ``rejected`` is an answer that people liked less than the last one; ``kept`` are further metadata.

    Raises BadRecord, NoConversation.
    """
    places = places_of(record)
    id_ = next((found for name in _IDS if (found := fields.optional_name(record, name))), None) or digest_id(
        record
    )
    extra = {
        name: value
        for name, value in record.items()
        if name not in read and name not in _TAKEN and name not in _IDS
    }
    session = session_of(places, but=id_)
    return Conversation(
        conversation_id=id_,
        at=time_of(places, reading),
        model_line=fields.optional_name(record, "model_line"),
        model_version=fields.optional_name(record, "model_version") or fields.optional_name(record, "model"),
        user_id=user_of(places),
        session_id=session,
        messages=in_conversation(row.turns, at, joins=session is not None),
        tools=row.tools,
        documents=row.documents,
        feedback=read_feedback(record.get("feedback"), reading),
        rejected=rejected,
        metadata=fields.metadata({**own_metadata(record), **extra, **(kept or {})}),
    )
