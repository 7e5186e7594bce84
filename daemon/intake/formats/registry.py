"""The formats that are known, and which of them a record is of."""

from collections.abc import Sequence

from daemon.config.settings import IntakeSection
from daemon.domain.bad_record import BadRecord, Reason
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.envelopes.apisix import ApisixFormat
from daemon.intake.formats.envelopes.kong import KongFormat
from daemon.intake.formats.envelopes.kserve import KServeFormat
from daemon.intake.formats.envelopes.langfuse import LangfuseFormat
from daemon.intake.formats.envelopes.litellm import LiteLLMFormat
from daemon.intake.formats.envelopes.mapped import MappedFormat
from daemon.intake.formats.envelopes.message import MessageFormat
from daemon.intake.formats.envelopes.mlflow import MlflowFormat
from daemon.intake.formats.envelopes.native import FeedbackFormat, NativeFormat
from daemon.intake.formats.envelopes.open_webui import OpenWebUIFormat
from daemon.intake.formats.envelopes.openinference import OpenInferenceFormat
from daemon.intake.formats.envelopes.otel import OtelFormat
from daemon.intake.formats.envelopes.pair import PairFormat
from daemon.intake.formats.envelopes.preferences import PreferencesFormat
from daemon.intake.formats.envelopes.rows import RowsFormat
from daemon.intake.formats.protocol import LogFormat

AUTO = "auto"
_NATIVE_FEEDBACK = FeedbackFormat()
#: In the order in which they are tried: the special before the general. The first is the most frequent.
FORMATS: tuple[LogFormat, ...] = (
    NativeFormat(),
    LiteLLMFormat(),
    PreferencesFormat(),
    KServeFormat(),
    KongFormat(),
    ApisixFormat(),
    PairFormat(),
    MlflowFormat(),
    OpenWebUIFormat(),
    _NATIVE_FEEDBACK,
    LangfuseFormat(),
    OtelFormat(),
    OpenInferenceFormat(),
    MessageFormat(),
    RowsFormat(),
)


def formats_for(name: str, intake: IntakeSection) -> tuple[LogFormat, ...]:
    """Return the formats to try for a value of ``kafka.format``.

    The fields that the settings name come before all known formats. Native feedback is taken beside every format.
    """
    mapped = (MappedFormat(intake.fields),) if intake.fields.are_named else ()
    if name == AUTO:
        return (*mapped, *FORMATS)
    return (*(one for one in (*mapped, *FORMATS) if one.name == name), _NATIVE_FEEDBACK)


def format_of(record: Object, formats: Sequence[LogFormat]) -> LogFormat:
    """Return the first format that recognises a record. Raises BadRecord."""
    for one in formats:
        if one.recognises(record):
            return one
    if len(formats) <= 2:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "", f"is no record of the format {formats[0].name}")
    raise BadRecord(
        Reason.UNKNOWN_SHAPE, "",
        "is of no known format: it has neither messages, nor request and response, nor feedback; name the fields of a "
        "log of your own in intake.fields",
    )  # fmt: skip
