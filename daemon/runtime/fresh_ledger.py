"""Refuses to begin a new ledger where there was one before."""

from daemon.config.settings import Settings
from daemon.domain.errors import LedgerLost
from daemon.ledger.before_lines import url_before_lines
from daemon.ledger.bound_facts import bound_facts
from daemon.ledger.database import connect, missing_file, shown
from daemon.ledger.restoring import ledger_exists
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


def refuse_left_behind(settings: Settings) -> None:
    """Raise LedgerLost if the line has no ledger, and the one that it had as the only line of the file is still there.

    A start would otherwise begin a new ledger, and nobody would miss the old one.
    """
    before = url_before_lines(ledger_url(settings), settings.model_line)
    if before is None or ledger_exists(ledger_url(settings)) or not ledger_exists(before):
        return
    engine = connect(before)
    try:
        line = bound_facts(engine).get("model_line")
    finally:
        engine.dispose()
    if line == settings.model_line:
        raise LedgerLost(
            f"the ledger that {line} had before the settings named lines is at {shown(before)}, and the line has none; make "
            f"a backup with the settings as they were (`retuned backup FILE`), then `retuned restore FILE` with --line {line} "
            "(to begin anew instead, move that ledger away)"
        )


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
