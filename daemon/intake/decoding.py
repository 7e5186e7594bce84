"""Decodes the bytes of a record into conversations or feedback. ``schema/record.schema.json`` describes native records."""

from collections.abc import Sequence
from datetime import datetime

from daemon.config.settings import IntakeSection, LimitsSection
from daemon.domain.bad_record import BadRecord, NoConversation, Reason
from daemon.domain.conversation import Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.protocol import LogFormat
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.registry import FORMATS, format_of
from daemon.intake.unwrapping import unwrap

__all__ = ["BadRecord", "NoConversation", "Reason", "decode", "decode_document"]

_DEFAULT = IntakeSection()


def decode(
    value: bytes | None,
    *,
    limits: LimitsSection,
    received_at: datetime,
    recorded_at: datetime | None = None,
    intake: IntakeSection = _DEFAULT,
    formats: Sequence[LogFormat] = FORMATS,
) -> Record:
    """Read a value that holds one record. Raises BadRecord, and nothing else. See :func:`decode_document`."""
    reading = Reading(limits=limits, received_at=received_at, recorded_at=recorded_at, intake=intake)
    documents = unwrap(value or b"", limits=limits)
    records = decode_document(documents[0], reading, formats=formats) if len(documents) == 1 else ()
    if len(records) != 1:
        count = len(records) or len(documents)
        found = f"holds {count} records" if count else "reports a deletion"
        raise BadRecord(Reason.UNKNOWN_SHAPE, "", f"{found}, and must hold one")
    return records[0]


def decode_document(
    document: Object, reading: Reading, *, formats: Sequence[LogFormat] = FORMATS
) -> Sequence[Record]:
    """Read one document that :func:`daemon.intake.unwrapping.unwrap` gave: usually one record, in some formats several.

    Raises NoConversation, which is a BadRecord, if the document is in order and holds none; BadRecord if it can't be used;
    and nothing else. The message names the format that was recognised.
    """
    found = format_of(document, formats)
    try:
        return found.decode(document, reading)
    except BadRecord as bad:
        bad.read_as(found.name)
        raise
    except RecursionError:
        deep = BadRecord(Reason.OVER_LIMIT, "", "is nested too deeply")
        deep.read_as(found.name)
        raise deep from None
