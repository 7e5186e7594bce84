"""How figures are shown: ours beside a peer's from the same run, and the ratio."""

import platform
import sys


def show(what: str, *, ours: float, peer: float, unit: str, peer_is: str) -> float:
    """Print both figures; return ours as a multiple of the peer's."""
    ratio = ours / peer
    sys.stdout.write(
        f"\n{what}: {_figure(ours)} {unit}; {peer_is}: {_figure(peer)} {unit}; ratio {ratio:.2f} ({_machine()})\n"
    )
    return ratio


def tell(what: str, value: float, unit: str) -> None:
    """Print one figure that has no peer."""
    sys.stdout.write(f"\n{what}: {_figure(value)} {unit}\n")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _machine() -> str:
    return platform.processor() or platform.machine()
