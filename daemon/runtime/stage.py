"""What the loop asks of a stage."""

from typing import Protocol


class Stage(Protocol):
    """One responsibility of the daemon.

    A step does what can be done at once and returns. Longer work goes on in a child process or a thread, which the next steps
    look after. All that matters is in the ledger at the end of a step, so after a crash a new stage continues where the old
    one was.
    """

    @property
    def name(self) -> str: ...

    def step(self) -> None: ...

    def close(self, timeout_s: float) -> None:
        """Release children and connections within about ``timeout_s``."""
        ...
