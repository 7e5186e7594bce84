"""Adjusts the garbage collector to the daemon's work."""

import gc


def relax_garbage_collector() -> None:
    """Collect less often, and leave out the objects that exist already.

    Intake makes tens of thousands of short-lived objects a batch, none in a cycle: looking for cycles slows it down.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
