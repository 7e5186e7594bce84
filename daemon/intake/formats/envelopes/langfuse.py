"""Langfuse: observations and traces as they are exported, and the events of its ingestion, scores included."""

from collections.abc import Mapping, Sequence

from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import JSON, Conversation, Feedback, FeedbackRecord, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.registry import read_answer, read_request
from daemon.intake.formats.calls.types import Request
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.dialects.turns import in_conversation
from daemon.intake.formats.identity import Place, object_at, places_of, session_of, time_of, user_of
from daemon.intake.formats.reading import Reading
from daemon.intake.json_text import parsed_text
from daemon.intake.opinions import read_score

_GENERATIONS = frozenset(
    {"generation-create", "generation-update", "observation-create", "observation-update"}
)
_EVENTS = _GENERATIONS | {
    "trace-create", "score-create", "span-create", "span-update", "event-create", "sdk-log", "dataset-run-item-create",
}  # fmt: skip
_SCORED = ("observationId", "observation_id", "traceId", "trace_id", "sessionId", "session_id")
_TIMES = ("endTime", "end_time", "startTime", "start_time", "timestamp", "createdAt", "created_at", "ts")
_TAKEN = frozenset(
    {"id", "input", "output", "metadata", "scores", "model", "userId", "sessionId", "model_line"}
)


class LangfuseFormat:
    """A generation, a trace, a score, an event about one of these, or a batch of events."""

    name = "langfuse"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has ids of Langfuse's, or the type of one of its events."""
        if "body" in record:
            return _kind(record) in _EVENTS
        if "batch" in record:
            batch = record["batch"]
            return isinstance(batch, list) and any(
                isinstance(one, dict) and _kind(one) in _EVENTS for one in batch
            )
        return _is_score(record) or _is_observation(record) or _is_trace(record)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return conversations and scores. Raises BadRecord, NoConversation."""
        if "batch" in record:
            return _batch(record["batch"], reading)
        if "body" in record:
            return _event(record, {}, reading)
        if _is_score(record):
            return (_late_score(record, reading),)
        return _with_observations(record, reading)


def _kind(event: Object) -> str:
    """Return the type of an event; empty if it has none."""
    kind = event.get("type")
    return kind if isinstance(kind, str) else ""


def _is_score(record: Object) -> bool:
    return "dataType" in record and "name" in record and any(name in record for name in _SCORED)


def _is_observation(record: Object) -> bool:
    return ("traceId" in record or "trace_id" in record) and ("input" in record or "output" in record)


def _is_trace(record: Object) -> bool:
    has_texts = "input" in record and "output" in record and "instruction" not in record
    return "observations" in record or (has_texts and ("sessionId" in record or "userId" in record))


def _batch(events: JSON, reading: Reading) -> Sequence[Record]:
    """Read the events of one request: what a trace says of its user and session holds for its generations."""
    listed = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    traces: dict[str, Object] = {}
    for event in listed:
        body = object_at(event, "body")
        if event.get("type") == "trace-create" and isinstance(body.get("id"), str):
            traces[str(body["id"])] = body
    answers = _answers_of_traces(listed)
    found: list[Record] = []
    none: NoConversation | None = None
    for event in listed:
        trace = str(object_at(event, "body").get("traceId"))
        if trace in answers and _is_of_trace(event):
            event = {**event, "body": {**object_at(event, "body"), "observationId": answers[trace]}}
        try:
            found += _event(event, traces.get(trace, {}), reading)
        except NoConversation as absent:
            none = none or absent
    if not found:
        raise none or NoConversation(Absence.NOT_CHAT, "batch", "holds no generation and no score")
    return found


def _answers_of_traces(events: Sequence[Object]) -> dict[str, str]:
    """Return the id of the last generation of each trace: a score of the trace is about what people saw last."""
    bodies = [object_at(event, "body") for event in events if _kind(event) in _GENERATIONS]
    return {
        str(body["traceId"]): str(body["id"]) for body in bodies if body.get("traceId") and body.get("id")
    }


def _is_of_trace(event: Object) -> bool:
    body = object_at(event, "body")
    return _kind(event) == "score-create" and not (body.get("observationId") or body.get("sessionId"))


def _event(event: Object, trace: Object, reading: Reading) -> Sequence[Record]:
    kind, body = _kind(event), event.get("body")
    if not isinstance(body, dict):
        raise BadRecord(Reason.BAD_FIELD, "body", f"must be an object, not {fields.kind(body)}")
    body = {"timestamp": event.get("timestamp"), **body}
    if kind == "score-create":
        return (_late_score(body, reading, at="body."),)
    if kind not in _GENERATIONS:
        raise NoConversation(Absence.NOT_CHAT, "type", "is no generation and no score")
    return (_conversation(body, trace, reading, at="body."),)


def _with_observations(record: Object, reading: Reading) -> Sequence[Record]:
    """Read an observation or a trace; of a trace with observations these, which hold the texts of the model."""
    inner = record.get("observations")
    listed = [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
    generations = [one for one in listed if one.get("type") == "GENERATION"]
    if not generations:
        return (_conversation(record, {}, reading),)
    return [
        _conversation(one, record, reading, at=f"observations[{index}].")
        for index, one in enumerate(generations)
    ]


def _conversation(record: Object, trace: Object, reading: Reading, *, at: str = "") -> Conversation:
    if record.get("level") == "ERROR":
        raise NoConversation(Absence.FAILED, f"{at}level", "says that the call failed")
    kind = record.get("type")
    if isinstance(kind, str) and kind not in ("GENERATION", "LLM", "CHAT"):
        raise NoConversation(Absence.NOT_CHAT, f"{at}type", "is no generation")
    row = _row(record, at, reading)
    places: list[Place] = [*places_of(record, at), *places_of(trace)]
    return Conversation(
        conversation_id=fields.name(record, "id", at),
        at=time_of(places[:1], reading, names=_TIMES),
        model_line=fields.optional_name(record, "model_line", at),
        model_version=fields.optional_name(record, "model", at)
        or fields.optional_name(record, "provided_model_name", at),
        user_id=user_of(places),
        session_id=session_of(places),
        messages=in_conversation(row.turns, f"{at}input"),
        tools=row.tools,
        feedback=_scores(record.get("scores"), reading) or _scores(trace.get("scores"), reading),
        metadata=_metadata(record, trace),
    )


def _row(record: Object, at: str, reading: Reading) -> Request:
    """Read input and output, each in the form of an API, as a message, as a list of them or as a text."""
    asked, answered = parsed_text(record.get("input")), parsed_text(record.get("output"))
    if asked is None:
        raise NoConversation(Absence.NO_QUESTION, f"{at}input", "is absent")
    if not answered:
        raise NoConversation(Absence.NO_ANSWER, f"{at}output", "is absent")
    if isinstance(asked, dict) and "role" in asked:
        asked = [asked]
    request = read_request(asked, f"{at}input", reading)
    answer = read_answer(answered, f"{at}output", reading)
    parameters = object_at(record, "modelParameters")
    tools = request.tools or tool_definitions(parameters.get("tools"), f"{at}modelParameters.tools")
    return Request(turns=(*request.turns, *answer.turns), tools=tools, documents=request.documents)


def _metadata(record: Object, trace: Object) -> dict[str, JSON]:
    kept: dict[str, JSON] = {}
    for one in (trace, record):
        kept |= object_at(one, "metadata")
    rest = {name: value for name, value in record.items() if name not in _TAKEN and value is not None}
    return fields.metadata(kept | rest)


def _scores(value: JSON, reading: Reading) -> Feedback | None:
    """Return what the scores of an observation say together."""
    thumb = rating = correction = None
    for score in _listed_scores(value):
        opinion = _opinion(score, reading) if isinstance(score, dict) else None
        if opinion is not None:
            thumb, rating = opinion.thumb or thumb, opinion.rating if opinion.rating is not None else rating
            correction = opinion.correction or correction
    given = Feedback(thumb=thumb, rating=rating, correction=correction)
    return None if given == Feedback() else given


def _listed_scores(value: JSON) -> list[JSON]:
    """Return scores: a list, or by their names as exports have them."""
    value = parsed_text(value)
    if isinstance(value, dict):
        return [
            {"name": name, **score} if isinstance(score, dict) else {"name": name, "value": score}
            for name, score in value.items()
        ]
    return value if isinstance(value, list) else []


def _opinion(score: Object, reading: Reading) -> Feedback | None:
    """Read a score by its data type; one that a model gave is none."""
    kind, value = score.get("dataType"), score.get("value")
    if kind == "CORRECTION":
        text = next(
            (
                found
                for name in ("stringValue", "value", "comment")
                if isinstance(found := score.get(name), str)
            ),
            None,
        )
        is_human = read_score(score.get("name"), True, reading, source=score.get("source")) is not None
        return (
            Feedback(correction=fields.text(text, "value", reading.limits))
            if text and text.strip() and is_human
            else None
        )
    if (
        kind == "BOOLEAN"
        and not isinstance(value, bool)
        and value in (0, 1, "0", "1", "true", "false", "True", "False")
    ):
        value = value in (1, "1", "true", "True")
    if kind in ("CATEGORICAL", "TEXT"):
        value = score.get("stringValue", value)
    return read_score(score.get("name"), value, reading, source=score.get("source"))


def _late_score(score: Object, reading: Reading, *, at: str = "") -> FeedbackRecord:
    opinion = _opinion(score, reading)
    if opinion is None:
        raise NoConversation(Absence.UNUSABLE_FEEDBACK, f"{at}value", "is no opinion that can be read")
    key = next((name for name in _SCORED if score.get(name)), _SCORED[0])
    return FeedbackRecord(
        conversation_id=fields.name(score, key, at),
        at=time_of([(score, at)], reading, names=("timestamp", "createdAt", "updatedAt")),
        feedback=opinion,
        user_id=user_of([(score, at)]),
        model_line=fields.optional_name(score, "model_line", at),
        metadata=fields.metadata(_own(score)),
    )


def _own(score: Object) -> Mapping[str, JSON]:
    rest = {name: value for name, value in score.items() if name not in ("value", "stringValue", "metadata")}
    return {**object_at(score, "metadata"), **rest}
