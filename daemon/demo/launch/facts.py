"""Facts about retuned's settings, read from the classes that define them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.config.settings import Settings
from daemon.demo.launch.subjects import SUBJECTS, Subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A setting, and what support answers to whoever asks for it."""

    subject: Subject
    default: str  # as one would write it into retuned.yaml
    explanation: str  # the setting's documentation

    @property
    def answer(self) -> str:
        """Return the right answer, as support gives it."""
        return f"{self.subject.setting}; the default is {self.default}."


def read_facts(subjects: Iterable[Subject] = SUBJECTS) -> tuple[Fact, ...]:
    """Look each subject's setting up. Raises KeyError for a setting that does not exist."""
    return tuple(_fact(subject, _field(subject.setting)) for subject in subjects)


def _fact(subject: Subject, field: FieldInfo) -> Fact:
    default = field.get_default(call_default_factory=True)
    return Fact(subject=subject, default=_yaml_value(default), explanation=field.description or "")


def _field(path: str) -> FieldInfo:
    *sections, name = path.split(".")
    model: type[BaseModel] = Settings
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            raise KeyError(path)
        model = annotation
    return model.model_fields[name]


def _yaml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}".rstrip("0") if isinstance(value, float) and value < 1e-3 else f"{value}"
