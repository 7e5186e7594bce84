"""Jobs in an artifact store, and the process of their pod."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.jobs.files import JobFiles
from daemon.jobs.request import StoredParent, portable
from learners.codec import event_from_json
from learners.types import Event, TrainRequest


def published(files: JobFiles, request: TrainRequest, parent: StoredParent | None = None) -> str:
    """Publish a request as the daemon does; return the job's digest."""
    job = portable(request, model_line="support-bot", base=str(request.base), parent=parent)
    return files.publish(job, request.data)


@dataclass(frozen=True, kw_only=True)
class PodProcess:
    """``retuned train-job`` as a container runs it. Another work folder is another pod."""

    url: str
    digest: str
    work: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable, "-m", "daemon", "train-job", "--artifacts", self.url, "--job", self.digest,
                "--work", str(self.work), *self.options,
            ],
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def run(self) -> "PodEnd":
        return ended(self.start())


@dataclass(frozen=True, kw_only=True)
class PodEnd:
    """How a pod's process ended."""

    code: int
    events: list[Event]
    log: str


def ended(process: subprocess.Popen[str]) -> PodEnd:
    out, log = process.communicate(timeout=240)
    return PodEnd(code=process.returncode, events=list(map(event_from_json, out.splitlines())), log=log)
