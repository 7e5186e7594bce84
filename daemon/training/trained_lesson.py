"""What a line of a training file taught, as the ledger keeps it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from daemon.domain.lessons import LessonKind, Teaching

#: In ``TrainedLesson.correction``: the record itself holds it.
BY_RECORD = "record"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedLesson:
    """What a line teaches with a record, so that the line can be made again whatever was said of the record since."""

    kind: str = LessonKind.DEMONSTRATION.value  # of the lesson; replay: of answers of earlier conversations
    teaching: Teaching = "imitate"
    index: int | None = None  # of the one answer that the line is about; None: of all that are not unlearned
    correction: str | None = None  # where the better answer stands: the digest of a feedback, or BY_RECORD
    weight: float = 1.0  # of the line
    #: What the record gives to a line that is about another record's answer; None: the line is about its own answers.
    part: Literal["rejected"] | None = None


_CODEC = TypeAdapter(TrainedLesson)
_DEFAULTS = asdict(TrainedLesson())


def lesson_to_json(lesson: TrainedLesson) -> dict[str, str | int | float | None]:
    """Return plain JSON values: the kind, and what is not as it mostly is."""
    values = asdict(lesson)
    return {name: value for name, value in values.items() if name == "kind" or value != _DEFAULTS[name]}


def lesson_from_json(document: Mapping[str, Any] | None) -> TrainedLesson:
    """Read what ``lesson_to_json`` wrote; None: of a release whose runs imitated all answers."""
    return TrainedLesson() if document is None else _CODEC.validate_python(document)
