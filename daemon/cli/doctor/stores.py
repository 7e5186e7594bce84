"""Checks the ledger, the promotion log, the artifacts and the target."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy import Engine

from daemon.cli.doctor.answerers import check_answerers
from daemon.cli.doctor.bound import check_bound
from daemon.cli.doctor.check import Check, failed, guarded, passed
from daemon.cli.doctor.lessons import check_lessons
from daemon.cli.doctor.orders import check_orders
from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.domain.errors import DaemonError, LedgerError
from daemon.domain.os_errors import os_failure
from daemon.ledger.database import reader, sqlite_file
from daemon.ledger.stores import Stores, ledger_url, open_stores
from daemon.ledger.user_shares import read_user_shares
from daemon.runtime.fresh_ledger import refuse_lost_file
from daemon.views.served import served_view
from daemon.views.versions import checked_history
from registry.artifacts import BadArtifact
from registry.types import Version

_BACKUP = "stop the daemon and restore a backup: `retuned restore FILE --yes`"


def check_stores(settings: Settings) -> Iterator[Check]:
    """Check all that is durable; only the ledger where it can't be opened."""
    try:
        refuse_lost_file(settings)
    except LedgerError as error:
        yield _unusable(error)
        return
    file = sqlite_file(ledger_url(settings))
    if file is not None and not file.exists():
        yield passed("ledger", f"{file} does not exist yet; the first start of `retuned run` creates it")
        return
    try:
        stores = open_stores(settings, may_create_key=False)
    except (DaemonError, OSError) as error:
        yield _unusable(error)
        return
    try:
        yield _ledger(stores.engine)
        yield from guarded("answers", lambda: (check_answerers(stores, settings),))
        yield from guarded("users", lambda: (_users(stores.engine),))
        yield from guarded("lessons", lambda: (check_lessons(stores, settings),))
        log = next(guarded("promotion log", lambda: (_log(stores, settings),)))
        yield log
        if log.ok:
            yield from guarded("artifacts", lambda: _artifacts(stores, settings))
            yield from guarded("target", lambda: (_target(stores, settings),))
            yield from guarded("bound", lambda: check_bound(stores, settings))
            yield from guarded("operator orders", lambda: check_orders(stores, settings))
    except LedgerError as error:
        yield _unusable(error)
    finally:
        stores.engine.dispose()


def _users(engine: Engine) -> Check:
    """Check that no user id has most of the conversations."""
    shares = read_user_shares(engine)
    if shares.problem is not None:
        return failed("users", shares.problem, shares.remedy)
    unnamed = f"; {shares.without_user:,} name no user, so `retuned forget --user` finds none of them"
    return passed(
        "users", f"no user id has most of the conversations{unnamed if shares.without_user else ''}"
    )


def _unusable(error: DaemonError | OSError) -> Check:
    """Return a failed check; the last part of the message says what to do."""
    text = os_failure(error) if isinstance(error, OSError) else str(error)
    found, _, remedy = text.rpartition("; ")
    return failed("ledger", found or remedy, remedy if found else "correct what the message names")


def _ledger(engine: Engine) -> Check:
    shown = engine.url.render_as_string(hide_password=True)
    if engine.dialect.name != "sqlite":
        return passed("ledger", f"{shown} opens")
    with reader(engine).connect() as connection:
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)")]
    if found == ["ok"]:
        return passed("ledger", f"{shown} opens and is intact")
    return failed("ledger", f"{shown} is damaged: {'; '.join(found)}", _BACKUP)


def _log(stores: Stores, settings: Settings) -> Check:
    history = checked_history(stores, settings.model_line, newest=1)
    if history.problem is not None:
        return failed("promotion log", history.problem, _BACKUP)
    return passed(
        "promotion log",
        f"{history.length} entries, each with the digest of the one before; live: {history.live}",
    )


def _artifacts(stores: Stores, settings: Settings) -> Iterator[Check]:
    """Check the files of the versions that may be served next: live, the one before it, and the newest."""
    history = stores.versions.history(settings.model_line)
    newest = stores.versions.versions(settings.model_line, newest=1)
    needed = {version.name: version for version in newest}
    needed |= {name: stores.versions.version(name) for name in history.line[-2:]}
    for version in (needed[name] for name in sorted(needed)):
        if version.artifact is not None:
            check = partial(_artifact_check, stores, version, live=version.name == history.live)
            yield from guarded(f"artifact of {version.name}", check)


def _artifact_check(stores: Stores, version: Version, *, live: bool) -> tuple[Check, ...]:
    return (_artifact(stores, version, live=live),)


def _artifact(stores: Stores, version: Version, *, live: bool) -> Check:
    subject = f"artifact of {version.name}"
    try:
        stores.artifacts.verify(version.artifact or "", version.digest)
    except BadArtifact as error:
        way_out = ", or go back: `retuned rollback -m REASON`" if live else "; until then it can't go live"
        return failed(subject, str(error), f"restore {version.artifact} from a backup{way_out}")
    return passed(subject, f"all files match the digest {version.digest[:12]}")


def _target(stores: Stores, settings: Settings) -> Check:
    seen = served_view(stores, settings.model_line, daemon=None, now=utc_now())
    if seen.problem is not None:
        return failed("target", seen.problem, "`retuned sync`")
    return passed("target", f"it serves {seen.target}" if seen.target else "nothing is served yet")
