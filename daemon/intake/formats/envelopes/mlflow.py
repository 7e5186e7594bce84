"""Assessments of MLflow's traces: what people, models and programs say of an answer."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import FeedbackRecord, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.identity import object_at, time_of, user_of
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_score

_TIMES = ("create_time", "create_time_ms", "last_update_time", "timestamp", "timestamp_ms", "ts")


class MlflowFormat:
    """``trace_id``, ``name`` and ``value``, with the ``source`` that gave it."""

    name = "mlflow"

    def recognises(self, record: Object) -> bool:
        """Return whether a record is an assessment."""
        return "trace_id" in record and "source" in record and ("value" in record or "feedback" in record)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the feedback of a person. Raises BadRecord, NoConversation."""
        value = record.get("value", object_at(record, "feedback").get("value"))
        name = record.get("name", record.get("assessment_name"))
        opinion = read_score(name, value, reading, source=record.get("source"))
        if opinion is None:
            raise NoConversation(Absence.UNUSABLE_FEEDBACK, "value", "is no opinion that can be read")
        late = FeedbackRecord(
            conversation_id=fields.name(record, "trace_id"),
            at=time_of([(record, "")], reading, names=_TIMES),
            feedback=opinion,
            user_id=user_of([(record, "")]),
            metadata=fields.metadata({**object_at(record, "metadata"), "name": name}),
        )
        return (late,)
