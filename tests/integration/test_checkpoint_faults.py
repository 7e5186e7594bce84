import subprocess
import sys
from pathlib import Path

import pytest
import torch

from learners.training.checkpoint import Position, load_checkpoint, save_checkpoint
from tests.support.faults import KILLED, Fault, Kind, watched

MOMENTS = [
    ("checkpoint.sync", "before", 1),
    ("checkpoint.sync", "after", 1),
    ("checkpoint", "before", 1),
    ("checkpoint", "after", 2),
]


def saved(output: Path, step: int) -> None:
    save_checkpoint(output, Position(fingerprint="f", step=step), {"w": torch.full((2,), float(step))})


def found(output: Path) -> tuple[int, list[float]]:
    checkpoint = load_checkpoint(output, "f")
    assert checkpoint is not None
    position, tensors = checkpoint
    return position.step, tensors["w"].tolist()


@pytest.mark.parametrize("kind", ["EIO", "ENOSPC"])
@pytest.mark.parametrize(("step", "moment", "kept"), MOMENTS)
def test_a_fault_leaves_the_old_checkpoint_or_the_new_one(
    step: str, moment: str, kept: int, kind: Kind, tmp_path: Path
) -> None:
    saved(tmp_path / "out", 1)

    with watched(Fault(step, moment, kind)), pytest.raises(OSError, match=kind):
        saved(tmp_path / "out", 2)

    assert found(tmp_path / "out") == (kept, [kept, kept])


@pytest.mark.parametrize(("step", "moment", "kept"), MOMENTS)
def test_a_trainer_killed_there_leaves_the_old_checkpoint_or_the_new_one(
    step: str, moment: str, kept: int, tmp_path: Path
) -> None:
    saved(tmp_path / "out", 1)

    # A process of its own: torch does not survive a fork.
    program = (
        "import sys; from pathlib import Path; from tests.support.faults import Fault, watched; "
        "from tests.integration.test_checkpoint_faults import saved\n"
        "with watched(Fault(sys.argv[1], sys.argv[2], 'killed')): saved(Path(sys.argv[3]), 2)"
    )
    arguments = [sys.executable, "-c", program, step, moment, str(tmp_path / "out")]
    root = Path(__file__).parents[2]
    assert subprocess.run(arguments, check=False, timeout=60, cwd=root).returncode == KILLED

    assert found(tmp_path / "out") == (kept, [kept, kept])
