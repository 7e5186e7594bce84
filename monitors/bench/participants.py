"""The detectors that take part: ours, and the installed ones of other libraries."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from monitors.bench.contenders import OURS, PLAIN, Maker

#: Slow detectors, which take seconds for a window, take part in one trial in so many.
_SELDOM = {"Frouros MMD, level .05": 11, "Evidently text, default": 11}


@dataclass(frozen=True, kw_only=True, slots=True)
class Participants:
    """The detectors that take part, by name."""

    makers: Mapping[str, Maker]
    left_out: tuple[str, ...]  # libraries, with the reason

    def of_trial(self, place: int) -> Mapping[str, Maker]:
        """Return the detectors of the trial at that place of the plan."""
        return {name: maker for name, maker in self.makers.items() if place % _SELDOM.get(name, 1) == 0}


def ours_alone() -> Participants:
    """Return our detector alone."""
    return Participants(makers={OURS: PLAIN[OURS]}, left_out=())


def contenders() -> Participants:
    """Return all installed detectors. Loads Evidently."""
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
    return Participants(makers=makers, left_out=tuple(left_out))
