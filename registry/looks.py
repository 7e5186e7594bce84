"""Decides whether an inconclusive candidate is judged again."""

from collections.abc import Mapping

from registry.types import GateReport, GateVerdict, SliceReport


def waits_for_data(last: GateReport, *, max_looks: int, limit: int) -> bool:
    """Return whether further conversations can still decide an inconclusive report.

    Only target slices grow, and no slice grows beyond ``limit`` conversations.
    """
    if last.verdict is not GateVerdict.INCONCLUSIVE or last.look >= max_looks:
        return False
    return all(slice_.role == "target" and _required_size(slice_) <= limit for slice_ in _undecided(last))


def worth_another_look(last: GateReport, sizes: Mapping[str, int], *, max_looks: int, limit: int) -> bool:
    """Return whether every undecided slice has the further conversations that the last report asked for.

    ``sizes`` is the current number of conversations of each slice, by name.
    """
    enough = all(sizes.get(slice_.name, 0) >= _required_size(slice_) for slice_ in _undecided(last))
    return enough and waits_for_data(last, max_looks=max_looks, limit=limit)


def _undecided(report: GateReport) -> list[SliceReport]:
    """Return the slices that keep a report from a verdict."""
    undecided = (slice_ for slice_ in report.slices if slice_.verdict is GateVerdict.INCONCLUSIVE)
    return [slice_ for slice_ in undecided if slice_.decides]


def _required_size(slice_: SliceReport) -> int:
    """Return how many conversations a slice must have for another look."""
    return slice_.conversations + max(1, slice_.needed)
