"""Refuses to begin a new ledger where there was one before."""

from daemon.config.settings import Settings
from daemon.domain.errors import LedgerLost
from daemon.ledger.database import missing_file
from daemon.ledger.stores import Stores, ledger_url, target_dir
from registry.directory_target import POINTER, BadPointer, DirectoryTarget
from registry.names import VersionName


def refuse_lost_file(settings: Settings) -> None:
    """Raise LedgerLost if the ledger's file is missing or empty though live.json names a version of this line.

    A restart would otherwise begin a new ledger and put the base model live. Call it before the ledger is opened, which
    makes the file.
    """
    missing = missing_file(ledger_url(settings))
    if missing is not None:
        _refuse(settings, f"there is no ledger at {missing}")


def refuse_empty_ledger(settings: Settings, stores: Stores) -> None:
    """Raise LedgerLost if nothing was ever promoted in the ledger though live.json names a version of this line."""
    if stores.versions.history(settings.model_line).live is None:
        _refuse(settings, "the ledger is new")


def _refuse(settings: Settings, found: str) -> None:
    served = _served(settings)
    if served is not None and served.line == settings.model_line:
        pointer = target_dir(settings) / POINTER
        raise LedgerLost(
            f"{found}, but {pointer} names {served}, which an earlier one put live; put that ledger back, or restore a "
            f"backup: `retuned restore FILE --yes` (to begin anew instead, delete {pointer})"
        )


def _served(settings: Settings) -> VersionName | None:
    try:
        return DirectoryTarget(target_dir(settings)).current()
    except (BadPointer, OSError):
        return None
