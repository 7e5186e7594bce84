"""Reads what the last stage of a Dockerfile says about running its image."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageConfig:
    """How a container of the image is started."""

    environment: dict[str, str]
    uid: int
    workdir: Path
    command: tuple[str, ...]  # entry point and arguments


def read_image_config(file: Path) -> ImageConfig:
    """Return the configuration of the image. Both ENTRYPOINT and CMD must be lists, which no shell interprets."""
    text = re.sub(r"\\\n", " ", file.read_text(encoding="utf-8"))
    stage = re.split(r"^FROM .*$", text, flags=re.MULTILINE)[-1]
    said = dict(re.findall(r"^(ENV|USER|WORKDIR|ENTRYPOINT|CMD) +(.*)$", stage, flags=re.MULTILINE))
    return ImageConfig(
        environment=dict(word.split("=", 1) for word in shlex.split(said["ENV"])),
        uid=int(said["USER"].split(":")[0]),
        workdir=Path(said["WORKDIR"]),
        command=(*json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"])),
    )
