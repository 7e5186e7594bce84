"""Checks what the ledger is bound to: base model, LoRA shape, holdout key, ledger identity, artifact store."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.ledger.stores import Stores
from daemon.release.bound import Bound, base_difference, differences
from learners.errors import UnusableModel
from learners.models.base import base_digest, resolve_base

_AS_BOUND = {
    Bound.BASE: "the files are those that the live version was made for",
    Bound.SHAPE: "section learning agrees with the live version",
    Bound.HOLDOUT_KEY: "it is the one that the ledger was created with",
    Bound.LEDGER: "it is the one that was here before, and no older copy",
    Bound.ARTIFACTS: "it belongs to this ledger",
}


def check_bound(stores: Stores, settings: Settings) -> Iterator[Check]:
    """Compare each; reads all files of the base model. A base model that is missing is left to its own check."""
    found = list(differences(stores, settings))
    compared: list[Bound] = [bound for bound in Bound if bound is not Bound.BASE]
    try:
        digest = base_digest(resolve_base(settings.model.base))
    except (UnusableModel, OSError):
        pass
    else:
        found += base_difference(stores, settings, digest)
        compared = [Bound.BASE, *compared]
    for bound in compared:
        problems = [each for each in found if each.bound is bound]
        if not problems:
            yield passed(f"bound {bound}", _AS_BOUND[bound])
        for problem in problems:
            yield failed(f"bound {bound}", problem.found, problem.remedy)
