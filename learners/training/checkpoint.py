"""Checkpoints of a run: adapter, optimiser state and position in one file that is whole or absent."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from atomicwrites import replace_atomic
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

_FILE = "checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """The position of a run."""

    fingerprint: str  # of the request; a checkpoint of another one is of no use
    step: int = 0  # steps that are done
    tokens: int = 0
    target_tokens: int = 0
    losses: tuple[float, ...] = ()  # of each step, per target token

    def after(self, *, loss: float, tokens: int, target_tokens: int) -> "Position":
        """Return the position after one more step."""
        return replace(
            self,
            step=self.step + 1,
            tokens=self.tokens + tokens,
            target_tokens=self.target_tokens + target_tokens,
            losses=(*self.losses, loss),
        )


def partial_folder(output: Path) -> Path:
    """Return the folder of the checkpoint of a run that will write ``output``. Without it the run starts over."""
    return output.with_name(f"{output.name}.partial")


def checkpoint_file(output: Path) -> Path:
    """Return the checkpoint of a run that will write ``output``; it is whole or absent."""
    return partial_folder(output) / _FILE


def save_checkpoint(output: Path, position: Position, tensors: Mapping[str, torch.Tensor]) -> None:
    """Replace the checkpoint; at every instant it is the old one or the new one."""
    folder = partial_folder(output)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f"{_FILE}.tmp"
    save_file(dict(tensors), scratch, metadata={"position": json.dumps(asdict(position))})
    sys.audit("retuned.step", "checkpoint.sync", "before")
    with scratch.open("rb") as stream:
        os.fsync(stream.fileno())
    sys.audit("retuned.step", "checkpoint.sync", "after")
    sys.audit("retuned.step", "checkpoint", "before")
    replace_atomic(scratch, checkpoint_file(output))
    sys.audit("retuned.step", "checkpoint", "after")


def load_checkpoint(output: Path, fingerprint: str) -> tuple[Position, dict[str, torch.Tensor]] | None:
    """Return the checkpoint of the same request; None if there is none or it is unusable."""
    file = checkpoint_file(output)
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as checkpoint:
            values = json.loads(checkpoint.metadata()["position"])
            tensors = {name: checkpoint.get_tensor(name) for name in checkpoint.keys()}  # noqa: SIM118 (no mapping)
    except (KeyError, OSError, SafetensorError, ValueError):
        return None
    position = Position(**{**values, "losses": tuple(values["losses"])})
    return (position, tensors) if position.fingerprint == fingerprint else None


def discard_checkpoint(output: Path) -> None:
    """Delete the checkpoint, if there is one."""
    shutil.rmtree(partial_folder(output), ignore_errors=True)
