"""What is not as it should be, daemon or no daemon, and what somebody should look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.config.settings import Settings
from daemon.ledger.line_facts import read_line_facts
from daemon.ledger.stores import Stores
from daemon.release.bound import Difference, differences
from daemon.views.certificates import Certificate, certificates
from daemon.views.concerns import Concern, concerns_of
from daemon.views.erased import TaintedNow, tainted_now
from daemon.views.live_files import live_files_problem
from daemon.views.machine import MachineProblem, machine_problems
from daemon.views.served import ServedView, served_view
from daemon.views.status import StatusView


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """What must agree and does not, and what this machine lacks."""

    served: ServedView
    bound: Sequence[Difference] = ()
    live_files: str | None = None  # how the live version's files differ from what was stored
    tainted: TaintedNow = field(default_factory=TaintedNow)
    machine: Sequence[MachineProblem] = ()
    certificates: Sequence[Certificate] = ()  # that have expired, or expire soon
    concerns: Sequence[Concern] = ()


def read_faults(stores: Stores, settings: Settings, seen: StatusView, *, daemon: str | None) -> Faults:
    """Compare all that is near. ``daemon`` is the version that the running daemon says is live."""
    line, live = settings.model_line, seen.live
    names = [live.version] if live else []
    if seen.candidate is not None:
        names.append(seen.candidate.name)
    return Faults(
        served=served_view(stores, line, daemon=daemon, now=seen.at),
        bound=tuple(differences(stores, settings, near=True)),
        live_files=live_files_problem(stores, stores.versions.version(live.version)) if live else None,
        tainted=tainted_now(stores, line, names),
        machine=tuple(machine_problems(settings.state_dir, newest=live.at if live else None, now=seen.at)),
        certificates=tuple(each for each in certificates(settings, seen.at) if each.expires_soon(seen.at)),
        concerns=tuple(concerns_of(read_line_facts(stores, settings), seen.at)),
    )
