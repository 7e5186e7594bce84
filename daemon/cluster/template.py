"""Reads the template of a training's Job."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from daemon.cluster.errors import BadJobTemplate

#: The container that trains.
TRAINER = "trainer"


@dataclass(frozen=True, kw_only=True, slots=True)
class PodTemplate:
    """The pod of a training, as the template has it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]  # a PodSpec with a container named ``trainer``


def read_template(path: Path) -> PodTemplate:
    """Read the file. Raises BadJobTemplate that says what is wrong, and where."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadJobTemplate(
            f"{path} can't be read ({error}); correct kubernetes.job_template, or mount the file"
        ) from error
    except yaml.YAMLError as error:
        raise BadJobTemplate(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    problem = _problem(document)
    if problem is not None:
        raise BadJobTemplate(f"{path}: {problem}; deploy/docs/training-jobs.md has an example")
    metadata = document.get("metadata") or {}
    return PodTemplate(
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        spec=document["spec"],
    )


def _problem(document: object) -> str | None:
    if not isinstance(document, dict) or not isinstance(document.get("spec"), dict):
        return "must be a pod template, with metadata and spec"
    unknown = sorted(map(str, document.keys() - {"metadata", "spec"}))
    if unknown:
        return f"has {', '.join(unknown)} beside metadata and spec; it is no whole manifest"
    return _metadata_problem(document.get("metadata") or {}) or _spec_problem(document["spec"])


def _metadata_problem(metadata: object) -> str | None:
    if not isinstance(metadata, dict):
        return "metadata must be a mapping"
    for name in ("labels", "annotations"):
        values = metadata.get(name) or {}
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            return f"metadata.{name} must map names to texts; put numbers and booleans in quotes"
    return None


def _spec_problem(spec: Mapping[str, Any]) -> str | None:
    containers = spec.get("containers")
    if not isinstance(containers, list) or not all(isinstance(each, dict) for each in containers):
        return "spec.containers must be a list of containers"
    trainers = [each for each in containers if each.get("name") == TRAINER]
    if len(trainers) != 1:
        return f"spec.containers must have one container named {TRAINER}"
    if trainers[0].get("args"):
        return f"the container {TRAINER} must have no args: the daemon sets them"
    if spec.get("restartPolicy", "Never") != "Never":
        return "spec.restartPolicy must be Never: the Job starts pods again"
    return None
