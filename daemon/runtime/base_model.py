"""The base model on this machine."""

from dataclasses import dataclass
from pathlib import Path

from learners.models.base import base_digest, resolve_base


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseModel:
    """The base model's folder and digest."""

    folder: Path
    digest: str


def find_base_model(name: str) -> BaseModel:
    """Find a base model by its folder or hub name, and compute its digest. Raises LearnerError."""
    folder = resolve_base(name)
    return BaseModel(folder=folder, digest=base_digest(folder))
