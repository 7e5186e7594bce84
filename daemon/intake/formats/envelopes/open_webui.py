"""Open WebUI's ratings of answers."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, FeedbackRecord, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.identity import object_at, time_of, user_of
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_score

#: Its thumbs are numbers.
_THUMBS = {1: True, -1: False}


class OpenWebUIFormat:
    """``type: rating``, with the opinion in ``data`` and the chat in ``meta``."""

    name = "open_webui"

    def recognises(self, record: Object) -> bool:
        """Return whether a record is a rating of a message of a chat."""
        meta = object_at(record, "meta")
        return "rating" in object_at(record, "data") and ("chat_id" in meta or "message_id" in meta)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the opinion on the chat. Raises BadRecord, NoConversation."""
        data, meta = object_at(record, "data"), object_at(record, "meta")
        rating: JSON = data.get("rating")
        value: JSON = _THUMBS.get(rating, rating) if isinstance(rating, int) else rating
        opinion = read_score(None, value, reading)
        if opinion is None:
            raise NoConversation(Absence.UNUSABLE_FEEDBACK, "data.rating", "is no opinion that can be read")
        key = "chat_id" if meta.get("chat_id") else "message_id"
        late = FeedbackRecord(
            conversation_id=fields.name(meta, key, "meta."),
            at=time_of([(record, "")], reading, names=("updated_at", "created_at", "ts", "timestamp")),
            feedback=opinion,
            user_id=user_of([(record, "")]),
            metadata=fields.metadata(
                {name: value for name, value in record.items() if name not in ("data", "user_id")}
            ),
        )
        return (late,)
