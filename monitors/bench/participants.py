"""Who takes part: ours, and the others as far as they are installed."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from monitors.bench.contenders import OURS, PLAIN, Maker

#: Detectors that take seconds a window take part in one trial in so many.
_SELDOM = {"Frouros MMD, level .05": 11, "Evidently text, default": 11}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """The contenders by name."""

    makers: Mapping[str, Maker]
    left_out: tuple[str, ...]  # libraries, and why

    def of_trial(self, place: int) -> Mapping[str, Maker]:
        """Return who takes part in the trial at that place of the plan."""
        return {name: maker for name, maker in self.makers.items() if place % _SELDOM.get(name, 1) == 0}


def ours() -> Field:
    """Return our detector alone."""
    return Field(makers={OURS: PLAIN[OURS]}, left_out=())


def contenders() -> Field:
    """Load all that are installed. Loads Evidently."""
    from monitors.bench.evidently_peers import EVIDENTLY

    makers = {**PLAIN, **EVIDENTLY}
    left_out: list[str] = []
    if find_spec("river"):
        from monitors.bench.river_peers import RIVER

        makers |= RIVER
    else:
        left_out.append("River is not installed: pip install 'retuned[bench]'")
    if find_spec("frouros"):
        from monitors.bench.frouros_peers import FROUROS

        makers |= FROUROS
    else:
        left_out.append(
            "Frouros is not installed: pip install --no-deps frouros (it asks for an older numpy)"
        )
    return Field(makers=makers, left_out=tuple(left_out))
