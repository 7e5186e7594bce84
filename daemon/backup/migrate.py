"""Moves a ledger from SQLite to PostgreSQL, or back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.backup.create import check_identity
from daemon.backup.errors import BackupRefused, BadLedgerUrl
from daemon.backup.workspace import workspace
from daemon.config.openable import check_ledger_url
from daemon.config.settings import Settings
from daemon.domain.private_files import make_private_folder
from daemon.ledger.bound_facts import LEDGER_ID
from daemon.ledger.copying import Watch, copy_to_file, copy_to_server
from daemon.ledger.database import shown, sqlite_file
from daemon.ledger.restore_journal import Move, commit_restore
from daemon.ledger.restoring import leader_of, ledger_exists, stored_lease
from daemon.ledger.row_digest import TableRows
from daemon.ledger.snapshot import LedgerSnapshot, snapshot
from daemon.ledger.stores import artifacts_url, holdout_key_path, ledger_url, target_dir
from daemon.ledger.write_block import writes_blocked


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingToShare:
    """A setting that every replica must have alike once the ledger is on a server."""

    name: str
    value: str  # what it is now, without passwords
    is_set: bool  # else it is the default, which lies in state_dir


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationReport:
    """What was copied, and what the settings have to say from now on."""

    source: str
    target: str
    ledger: str | None  # its id; None for one that no release with ids has opened
    tables: tuple[TableRows, ...]
    settings: tuple[SettingToShare, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows that were copied."""
        return sum(table.rows for table in self.tables)


def migrate_ledger(
    settings: Settings,
    to: str,
    *,
    setting: str | None = None,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    watch: Watch,
) -> MigrationReport:
    """Copy the ledger to an empty place, compare both sides row by row, and leave the source as it was.

    ``setting`` is what ledger_url has to be from then on; None: ``to``. It differs where lines share the setting.
    Nobody writes to the source meanwhile. After an exception, or a kill, the place is as empty as it was.
    Raises BackupRefused where the place is not empty or a daemon uses the ledger, BadHoldoutKey, and LedgerError.
    """
    source = ledger_url(settings)
    _check_target(shown(source), to)
    with workspace(settings.state_dir) as folder:
        lease = stored_lease(source)
        leader = leader_of(source, lease_s=settings.leader.lease_s, clock=clock, sleep=sleep)
        if leader is not None:
            raise BackupRefused(f"the daemon runs ({leader}); stop it, and repeat the command")
        with writes_blocked(source), snapshot(source, folder=folder) as ledger:
            if stored_lease(source) != lease:
                raise BackupRefused("a daemon has started meanwhile; stop it, and repeat the command")
            facts = ledger.facts()
            check_identity(settings, facts)
            tables = _copy(ledger, to, settings.state_dir, watch)
    return MigrationReport(
        source=shown(source),
        target=shown(to),
        ledger=facts.get(LEDGER_ID),
        tables=tables,
        settings=_to_share(settings, setting or to),
    )


def _check_target(source: str, to: str) -> None:
    try:
        check_ledger_url(to)
    except ValueError as error:
        raise BadLedgerUrl(f"--to {error}") from error
    if to.startswith("sqlite") and sqlite_file(to) is None:
        raise BadLedgerUrl("--to names no file; write sqlite:////PATH")
    if source == shown(to) or ledger_exists(to):
        raise BackupRefused(
            f"there is a ledger at {shown(to)} already, and it is not overwritten; name an empty database"
        )


def _copy(ledger: LedgerSnapshot, to: str, state_dir: Path, watch: Watch) -> tuple[TableRows, ...]:
    file = sqlite_file(to)
    if file is None:
        return copy_to_server(ledger, to, watch=watch)
    place = file.absolute()
    make_private_folder(place.parent)
    prepared = place.with_name(f"{place.name}.migrating")
    try:
        copied = copy_to_file(ledger, prepared, watch=watch)
        commit_restore(state_dir, [Move(prepared=prepared, place=place, aside=None)])
    finally:
        prepared.unlink(missing_ok=True)
    return copied


def _to_share(settings: Settings, to: str) -> tuple[SettingToShare, ...]:
    """Return the settings that the place asks for. A ledger in a file has no replicas, so it asks for its URL alone."""
    url = SettingToShare(name="ledger_url", value=shown(to), is_set=False)
    if sqlite_file(to) is not None:
        return (url,)
    return (
        url,
        SettingToShare(
            name="holdout.key_file",
            value=str(holdout_key_path(settings).absolute()),
            is_set=settings.holdout.key_file is not None,
        ),
        SettingToShare(
            name="artifacts_url",
            value=artifacts_url(settings),
            is_set=settings.artifacts_url is not None,
        ),
        SettingToShare(
            name="target_dir",
            value=str(target_dir(settings).absolute()),
            is_set=settings.target_dir is not None,
        ),
    )
