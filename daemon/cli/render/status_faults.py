"""What needs the operator because something broke or expires: what is served, the ledger, erased records, the machine."""

from collections.abc import Iterable, Iterator

from daemon.cli.render.status_summary import Need, Urgency, sentence
from daemon.domain.runs import RunState
from daemon.release.bound import Difference
from daemon.views.certificates import Certificate
from daemon.views.erased import TaintedNow
from daemon.views.faults import Faults
from daemon.views.machine import MachineProblem
from daemon.views.status import StatusView
from registry.transitions import promote_command


def needs_of_faults(faults: Faults, seen: StatusView) -> tuple[Need, ...]:
    """List what needs the operator."""
    return (
        *_of_bound(faults.bound),
        *_of_served(faults, seen),
        *_of_machine(faults.machine),
        *_of_certificates(faults.certificates, seen),
        *_of_erasures(faults.tainted, seen),
        *(Need(each.phrase, f"{each.found} {each.remedy}", Urgency.CONCERN) for each in faults.concerns),
    )


def _of_bound(bound: Iterable[Difference]) -> Iterator[Need]:
    for each in bound:
        yield Need(f"restore the {each.bound}", sentence(str(each)), Urgency.BOUND)


def _of_served(faults: Faults, seen: StatusView) -> Iterator[Need]:
    if faults.served.problem is not None:
        problem = f"{sentence(faults.served.problem)} Finish the switch: `retuned sync`."
        yield Need("finish the switch", problem, Urgency.SERVED)
    if faults.live_files is not None and seen.live is not None:
        live = seen.live.version
        yield Need(
            f"restore the files of v{live.number}",
            f"The files of {live}, which is live, are not as they were: {faults.live_files}. Restore them from a backup, or "
            "go back: `retuned rollback -m REASON`.",
            Urgency.SERVED,
        )


def _of_machine(problems: Iterable[MachineProblem]) -> Iterator[Need]:
    for problem in problems:
        yield Need(problem.remedy, f"{sentence(problem.found)} {sentence(problem.remedy)}", Urgency.MACHINE)


def _of_certificates(found: Iterable[Certificate], seen: StatusView) -> Iterator[Need]:
    for each in found:
        expired = each.expires_at <= seen.at
        yield Need(
            "renew a certificate",
            f"{sentence(each.words(seen.at))} Put a renewed certificate into that file.",
            Urgency.STOPPED if expired else Urgency.DECISION,
        )


def _of_erasures(found: TaintedNow, seen: StatusView) -> Iterator[Need]:
    """Ask to replace a live version that learned from erased records, unless a training that does so is under way."""
    live, candidate = seen.live, seen.candidate
    if live is not None and live.version in found:
        under_way = seen.wish is not None or (seen.run is not None and seen.run.state is RunState.RUNNING)
        if not under_way:
            back = f", or go back: `retuned rollback v{found.clean.number} -m REASON`" if found.clean else ""
            yield Need(
                f"replace v{live.version.number}",
                f"{live.version}, which is live, learned from records that were erased since. Train one without them: "
                f"`retuned train -m REASON`{back}.",
                Urgency.ERASED,
            )
    if candidate is not None and candidate.name in found:
        name = candidate.name
        yield Need(
            f"promote or reject v{name.number}",
            f"{name} learned from records that were erased since, so it does not go live by itself: "
            f"{promote_command(name, force=True)} or `retuned reject v{name.number} -m REASON`.",
        )
