"""Kinds of lasting and passing faults that an operator should see."""

from enum import StrEnum


class ProblemKind(StrEnum):
    """What keeps the daemon from being ready; a label of ``retuned_problem``."""

    LEDGER_UNREACHABLE = "ledger_unreachable"  # passes: locked, restarting, or its disk is full
    LEDGER_LOST = "ledger_lost"  # lasts: damaged, moved, deleted or replaced; the daemon ends
    ARTIFACT_DAMAGED = "artifact_damaged"  # the live version's files don't match its digest
    TARGET_DIFFERS = (
        "target_differs"  # live.json does not name what the promotion log says, and can't be written
    )
    BOUND = "bound"  # base model, key, ledger or artifacts are not those that the ledger is bound to
    SCORER_DOWN = "scorer_down"
    BROKER = "broker"
    DEAD_LETTERS = "dead_letters"
    INTAKE_HALTED = "intake_halted"
