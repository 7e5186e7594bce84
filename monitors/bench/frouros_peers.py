"""Frouros' batch MMD with its permutation test, on one window at a time.

Frouros 0.9 requires numpy below 2.2 and scipy below 1.15, which conflicts with ours; install it by `pip install --no-deps
frouros`. It computes its kernel for each permutation, which takes seconds for a window.
"""

from collections.abc import Mapping, Sequence

from frouros.callbacks import PermutationTestDistanceBased
from frouros.detectors.data_drift import MMD

from monitors.bench.contenders import Contender, Maker, Setting, Windowed
from monitors.bench.vectors import matrix
from monitors.types import Sample

_LEVEL = 0.05
#: The fewest that the level allows: p is at least 1/40.
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
