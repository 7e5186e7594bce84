from pathlib import Path

import pytest
import torch

from learners.checkpoint import Position, load_checkpoint, save_checkpoint
from tests.faults import Fault, Kind, watched


def saved(output: Path, step: int) -> None:
    save_checkpoint(output, Position(fingerprint="f", step=step), {"w": torch.full((2,), float(step))})


@pytest.mark.parametrize("kind", ["EIO", "ENOSPC"])
@pytest.mark.parametrize(("moment", "kept"), [("before", 1), ("after", 2)])
def test_a_fault_leaves_the_old_checkpoint_or_the_new_one(
    moment: str, kept: int, kind: Kind, tmp_path: Path
) -> None:
    saved(tmp_path / "out", 1)

    with watched(Fault("checkpoint", moment, kind)), pytest.raises(OSError, match=kind):
        saved(tmp_path / "out", 2)

    found = load_checkpoint(tmp_path / "out", "f")
    assert found is not None
    position, tensors = found
    assert position.step == kept
    assert tensors["w"].tolist() == [kept, kept]
