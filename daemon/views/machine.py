"""What this machine lacks: space for the state, and the right time."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

#: With less space the next write may fail.
_LEAST_FREE = 64 << 20
#: Clocks of two machines may differ by so much.
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineProblem:
    """Something that keeps this machine from working as it should."""

    found: str  # a sentence without its end
    remedy: str


def machine_problems(state_dir: Path, *, newest: datetime | None, now: datetime) -> Iterator[MachineProblem]:
    """Look at the disk of the state folder, and compare the clock with the ``newest`` entry of the promotion log."""
    folder = next(
        parent for parent in (state_dir.absolute(), *state_dir.absolute().parents) if parent.exists()
    )
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        yield MachineProblem(
            found=f"the disk of {state_dir} is full: {free / 2**20:.0f} MiB are free",
            remedy="free some space",
        )
    if newest is not None and newest - now > _CLOCKS_DIFFER:
        minutes = (newest - now).total_seconds() / 60
        yield MachineProblem(
            found=(
                f"the clock of this machine, {now:%Y-%m-%d %H:%M}Z, is {minutes:.0f} min behind the newest entry of the "
                "promotion log"
            ),
            remedy="set the clock of the machine that is wrong",
        )
