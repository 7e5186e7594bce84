"""Tells whether a gate that could not decide is worth another look."""

from collections.abc import Mapping

from registry.types import GateReport, GateVerdict, SliceReport


def waits_for_data(last: GateReport, *, max_looks: int, limit: int) -> bool:
    """Say whether an undecided gate can still be answered by conversations to come.

    Only what is new goes on growing, and no slice grows beyond ``limit``.
    """
    if last.verdict is not GateVerdict.INCONCLUSIVE or last.look >= max_looks:
        return False
    return all(found.role == "target" and _wanted(found) <= limit for found in _undecided(last))


def worth_another_look(last: GateReport, sizes: Mapping[str, int], *, max_looks: int, limit: int) -> bool:
    """Say whether an undecided gate has what it asked for: every undecided slice its further conversations."""
    enough = all(sizes.get(found.name, 0) >= _wanted(found) for found in _undecided(last))
    return enough and waits_for_data(last, max_looks=max_looks, limit=limit)


def _undecided(report: GateReport) -> list[SliceReport]:
    return [found for found in report.slices if found.verdict is GateVerdict.INCONCLUSIVE]


def _wanted(found: SliceReport) -> int:
    return found.conversations + max(1, found.needed)
