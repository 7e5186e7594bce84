"""Frouros' batch MMD with its permutation test, a window at a time.

Frouros 0.9 asks for numpy below 2.2 and scipy below 1.15, so pip won't install it beside ours; `pip install --no-deps
frouros` gives one that works. It computes its kernel anew for each permutation: seconds a window.
"""

from collections.abc import Mapping, Sequence

from frouros.callbacks import PermutationTestDistanceBased
from frouros.detectors.data_drift import MMD

from monitors.bench.contenders import Contender, Maker, Setting, Windowed
from monitors.bench.vectors import matrix
from monitors.types import Sample

_LEVEL = 0.05
#: As few as the level needs: p is 1/40 at least.
_PERMUTATIONS = 39


def _mmd(setting: Setting) -> Contender:
    test = PermutationTestDistanceBased(
        num_permutations=_PERMUTATIONS, num_jobs=1, random_state=setting.seed, name="test"
    )
    detector = MMD(callbacks=[test])
    detector.fit(X=matrix(setting.vectors, setting.reference))

    def differs(window: Sequence[Sample]) -> bool:
        _, log = detector.compare(X=matrix(setting.vectors, window))
        return bool(log["test"]["p_value"] <= _LEVEL)

    return Windowed(differs)


FROUROS: Mapping[str, Maker] = {"Frouros MMD, level .05": _mmd}
