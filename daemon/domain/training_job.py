"""Where a training stands that runs as a Job of a cluster."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class JobState(StrEnum):
    """What the Job of a training is doing."""

    SUBMITTING = "submitting"  # its files are stored, the Job is created
    WAITING = "waiting"  # for admission, a place in a queue, or a node
    PULLING = "pulling"  # its image and its volumes
    RUNNING = "running"
    FETCHING = "fetching"  # its result is copied
    UNREACHABLE = "unreachable"  # the API server or the artifact store does not answer; the Job may go on
    ENDING = "ending"  # it is deleted


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStatus:
    """The state of a training's Job, for people."""

    name: str
    state: JobState
    waits_for: str | None = None  # one sentence, with what to do where something is wrong

    def to_json(self) -> Mapping[str, object]:
        """Return the status as the ledger keeps it, in the progress of a run."""
        return asdict(self)
