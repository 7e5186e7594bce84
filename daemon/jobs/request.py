"""A training request that another machine can run: it names no path of this one."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from daemon.jobs.errors import AlteredJob
from learners.codec import explain
from learners.types import TrainRequest

_BASE, _PARENT = Path("base"), Path("parent")
#: The names of the data and the artifact in the folders of a job, in the store and in the pod.
DATA, ARTIFACT = "data.jsonl", "artifact"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True, slots=True)
class StoredParent:
    """The adapter that a training continues from, by its place in the artifact store."""

    artifact: str  # URL, relative to the store unless an earlier release stored it
    digest: str


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """One training. Its digest names the job, so an equal request is the same job."""

    format: Literal[1] = 1
    model_line: str
    base: str  # folder or hub name, as in the settings; a pod may hold the model elsewhere
    parent: StoredParent | None
    request: TrainRequest  # its paths are placeholders, see ``at``

    def at(self, folder: Path, *, base: Path, parent: Path | None) -> TrainRequest:
        """Return the request with the paths of this machine: data and artifact are in ``folder``."""
        return replace(self.request, base=base, parent=parent, data=folder / DATA, output=folder / ARTIFACT)


_CODEC = TypeAdapter(JobRequest)


def portable(request: TrainRequest, *, model_line: str, base: str, parent: StoredParent | None) -> JobRequest:
    """Return the request without this machine's paths. ``parent`` says where the adapter of ``request.parent`` is stored.

    Raises ValueError if only one of both has a parent.
    """
    if (request.parent is None) != (parent is None):
        raise ValueError("the request and the job must continue from the same adapter")
    without_paths = replace(
        request,
        base=_BASE,
        parent=None if parent is None else _PARENT,
        data=Path(DATA),
        output=Path(ARTIFACT),
    )
    return JobRequest(model_line=model_line, base=base, parent=parent, request=without_paths)


def to_json(job: JobRequest) -> bytes:
    """Return the JSON text of a job's request; equal jobs give equal bytes."""
    document: Mapping[str, Any] = _CODEC.dump_python(job, mode="json")
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"


def digest_of(content: bytes) -> str:
    """Return the digest of a job: the SHA-256 of its ``request.json``."""
    return hashlib.sha256(content).hexdigest()


def from_json(content: bytes, *, digest: str) -> JobRequest:
    """Read a job's request. Raises AlteredJob if it has another digest, or can't be read."""
    found = digest_of(content)
    if found != digest:
        raise AlteredJob(
            f"request.json of job {digest[:12]} has digest {found[:12]}: damaged or tampered with"
        )
    try:
        return _CODEC.validate_json(content, strict=True)
    except ValidationError as error:
        raise AlteredJob(
            f"request.json of job {digest[:12]} can't be read: {explain(error)}; do daemon and pod run the same release?"
        ) from error
