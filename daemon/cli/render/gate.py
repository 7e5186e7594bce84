"""Shows what the gate said about a candidate."""

import math

from rich.text import Text
from rich.tree import Tree

from daemon.cli.render.formatting import coloured, counted, printable
from daemon.cli.render.layout import listed
from registry.types import CheckReport, GateReport, GateVerdict, Measure, SliceReport

#: A check finds harm or finds none; it proves nothing.
_FOUND = {
    GateVerdict.REJECT: "harm",
    GateVerdict.PROMOTE: "no harm found",
    GateVerdict.INCONCLUSIVE: "too few prompts",
}


def gate_tree(report: GateReport) -> Tree:
    """Show what the gate said, each slice's comparison, the checks and the figures."""
    tree = Tree(Text.assemble(f"gate, look {report.look}: ", coloured(report.verdict)))
    tree.add(Text(report.reason))
    for found in report.slices:
        _add_slice(tree, found)
    if report.checks:
        _add_checks(tree, report.checks)
    for figure in report.figures:
        numbers = f"{figure.live:.3g} -> {figure.candidate:.3g} on {figure.count:,}"
        tree.add(f"{printable(figure.name)}: {numbers} (does not decide)")
    tree.add(f"level of the test (alpha): {report.alpha:g}")
    return tree


def _add_slice(tree: Tree, found: SliceReport) -> None:
    margins = found.measure is Measure.MARGIN
    things, sign = ("pair", -1.0) if margins else ("conversation", 1.0)
    lower, upper = sorted((sign * found.lower, sign * found.upper))
    verdict = "" if found.decides else " (does not decide)"
    branch = tree.add(Text.assemble(f"{found.name} ({found.role}): ", coloured(found.verdict), verdict))
    branch.add(f"{counted(found.conversations, things)} of {counted(found.clusters, 'user')}")
    unit = "nats per end" if found.measure is Measure.END else "nats per token"
    numbers = f"{sign * found.live_loss:.3f} -> {sign * found.candidate_loss:.3f} {unit}"
    branch.add(f"{found.measure} {numbers}")
    branch.add(f"difference {sign * found.difference:+.3f} ({lower:+.3f} to {upper:+.3f})")
    if found.needed:
        branch.add(f"needs {counted(found.needed, f'more {things}')}")


def _add_checks(tree: Tree, checks: tuple[CheckReport, ...]) -> None:
    """Show a table of the checks, and the harm that they would have found."""
    table = listed("check", "prompts", "live", "candidate", "p", "", right=("prompts", "live", "candidate"))
    for check in checks:
        table.add_row(
            printable(check.name), f"{check.prompts}", f"{check.live_failed}", f"{check.candidate_failed}",
            f"{check.p_value:.2g}", Text(_FOUND[check.verdict], style=coloured(check.verdict).style),
        )  # fmt: skip
    branch = tree.add("answers that failed checks, on the same prompts")
    branch.add(table)
    harms = [check.smallest_harm for check in checks if not math.isinf(check.smallest_harm)]
    if harms:
        least, most = f"{min(harms):.0%}", f"{max(harms):.0%}"
        found = least if least == most else f"{least} to {most}"
        branch.add(f"harm that would be found with 80% power: {found} more prompts failed")
