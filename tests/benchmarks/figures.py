"""How figures are shown: ours beside a peer's from the same run, and the ratio."""

import platform
import sys


def show(what: str, *, ours: float, peer: float, unit: str, peer_is: str) -> float:
    """Print both figures; return ours as a multiple of the peer's."""
    ratio = ours / peer
    sys.stdout.write(
        f"\n{what}: {ours:,.0f} {unit}; {peer_is}: {peer:,.0f} {unit}; ratio {ratio:.2f} ({platform.processor() or platform.machine()})\n"
    )
    return ratio


def tell(what: str, value: float, unit: str) -> None:
    """Print one figure that has no peer."""
    sys.stdout.write(f"\n{what}: {value:,.3g} {unit}\n")
