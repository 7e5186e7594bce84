"""What is known of a training set once it is built. Views read it without loading what builds one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from daemon.domain.left_out import share_left_out
from daemon.domain.runs import TrainingRecord
from daemon.domain.windows import SeqRange
from registry.types import OffsetRange


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A training file, and where each of its lines came from."""

    path: Path
    digest: str  # sha256 of the file
    new: int
    replay: int
    span: SeqRange  # of the new conversations
    sources: tuple[OffsetRange, ...]
    #: Lessons by kind, those of replay as one kind. Runs of earlier releases imitated all answers and have none.
    lessons: Annotated[Mapping[str, int], Field(exclude_if=lambda lessons: not lessons)] = field(
        default_factory=dict
    )
    #: New conversations that were not taken, by reason. Runs from before curation have none.
    left_out: Mapping[str, int] = field(default_factory=dict)
    #: In order of the lines, and of the turns in each. The ledger keeps them in their own table.
    records: tuple[TrainingRecord, ...]

    @property
    def share_left_out(self) -> float:
        """The share of the new conversations with a lesson that were not taken."""
        return share_left_out(self.left_out, taken=self.new)
