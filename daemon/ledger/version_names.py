"""Lists names of versions without opening the stores, for the shell's completion."""

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from daemon.config.settings import Settings
from daemon.domain.errors import LedgerError
from daemon.ledger.database import connect, reader, sqlite_file
from daemon.ledger.stores import ledger_url
from registry.names import VersionName
from registry.tables import versions

_MOST = 100


def newest_version_names(settings: Settings) -> list[VersionName]:
    """Return the names of the newest versions, the newest first; none where there is no ledger.

    Creates and migrates nothing. Raises LedgerError or OSError.
    """
    url = ledger_url(settings)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return []
    engine = connect(url)
    newest = select(versions.c.number).where(versions.c.model_line == settings.model_line)
    try:
        with reader(engine).begin() as connection:
            numbers = connection.scalars(newest.order_by(versions.c.number.desc()).limit(_MOST)).all()
    except SQLAlchemyError as error:
        raise LedgerError(f"the versions can't be read: {error}") from error
    finally:
        engine.dispose()
    return [VersionName(settings.model_line, number) for number in numbers]
