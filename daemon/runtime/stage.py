"""What the loop asks of a stage."""

from typing import Protocol


class Stage(Protocol):
    """One worry of the daemon.

    A step does what can be done at once and returns; what takes long goes on in a child process and is looked
    after at the next step. All that matters is in the ledger by the end of a step, so that a stage made anew
    after a crash goes on where the old one was.
    """

    @property
    def name(self) -> str: ...

    def step(self) -> None: ...

    def close(self, timeout_s: float) -> None:
        """Let go of children and connections within about ``timeout_s``."""
        ...
