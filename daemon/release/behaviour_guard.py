"""Whether a candidate answers the prompts of our own that tempt it to please."""

from typing import Literal

from daemon.domain.lessons import LessonKind
from daemon.ledger.runs import RunLedger
from learners.method_names import MethodName, compares
from registry.types import Version

#: Lessons in which a version learns what users like, right or wrong.
_OPINIONS = frozenset({LessonKind.LIKED, LessonKind.PREFERENCE, LessonKind.DISLIKED})
_COMPARES: dict[str, MethodName] = {"dpo": "dpo", "kto": "kto", "lora": "lora"}


def is_guarded(mode: Literal["auto", "always", "never"], candidate: Version, runs: RunLedger) -> bool:
    """Return whether the gate asks its own prompts too, for the setting ``gate.behaviour``."""
    return mode == "always" or (mode == "auto" and _learned_from_opinions(candidate, runs))


def _learned_from_opinions(candidate: Version, runs: RunLedger) -> bool:
    """Return whether a version learned from what users liked, preferred or disliked."""
    method = _COMPARES.get(candidate.lineage.method)
    if method is not None and compares(method):
        return True
    if candidate.run is None:
        return False
    kinds = {(record.lesson or {}).get("kind") for record in runs.training_records(candidate.run)}
    return not _OPINIONS.isdisjoint(kinds)
