"""A PostgreSQL server of the tests' own, in a temporary folder, and empty databases on it."""

import itertools
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import create_engine, make_url, text

from tests.support.helpers import missing

#: Where Debian keeps the programs of each release, the newest last.
_DEBIAN = Path("/usr/lib/postgresql")
_REMEDY = "apt-get install postgresql"
_USER = "postgres"  # the server refuses to run as root
#: Nothing here outlives a test run, so that nothing has to reach the disk.
_FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


class PostgresServer:
    """One cluster, reached through a socket in its folder; no port is taken."""

    def __init__(self, folder: Path, control: Callable[..., None]) -> None:
        """``control`` runs pg_ctl with some words."""
        self._folder = folder
        self._control = control
        self._numbers = itertools.count(1)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped at the end."""
        name = f"test{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name}")
        try:
            yield self._url(name)
        finally:
            self.say(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self, how: str = "fast") -> None:
        """Stop the server; ``how`` is a mode of pg_ctl: smart, fast or immediate."""
        self._control("-m", how, "-w", "stop")

    def start(self) -> None:
        """Start a server that was stopped."""
        self._control("-w", "start")

    def _url(self, database: str) -> str:
        url = make_url(f"postgresql+psycopg://{_USER}@/{database}").update_query_dict(
            {"host": str(self._folder)}
        )
        return url.render_as_string(hide_password=False)

    def say(self, statement: str, *, database: str = "postgres") -> None:
        """Run a statement as the superuser."""
        engine = create_engine(self._url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server and stop it at the end; ``missing`` where PostgreSQL is not installed."""
    control, initdb = _program("pg_ctl"), _program("initdb")
    folder = Path(mkdtemp(prefix="retuned-pg-"))  # short: the path of a socket may have 107 bytes
    user = _server_user(folder)
    data = folder / "data"

    def say(*command: str) -> None:
        done = subprocess.run(
            command, user=user, group=user, extra_groups=None if user is None else [], cwd=folder, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        log = folder / "log"
        assert done.returncode == 0, f"{command}: {log.read_text() if log.exists() else done.returncode}"

    try:
        say(initdb, "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c max_connections=50 {_FAST}"

        def run_control(*words: str) -> None:
            say(control, "-D", str(data), "-l", str(folder / "log"), "-o", options, *words)

        run_control("-w", "start")
        try:
            yield PostgresServer(folder, run_control)
        finally:
            if (data / "postmaster.pid").exists():
                run_control("-m", "immediate", "-w", "stop")
            assert not (data / "postmaster.pid").exists()
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    releases = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return str(releases[-1]) if releases else missing("PostgreSQL", _REMEDY)


def _server_user(folder: Path) -> str | None:
    """Give the folder to the user that the server runs as; None where that is who runs the tests."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam(_USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return _USER
