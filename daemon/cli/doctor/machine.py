"""Looks at this machine: disk, the holdout key's file, the HTTP port."""

import shutil
import socket
import stat

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.http.probe import probe

#: A training writes checkpoints and an artifact; below this it may fail half-way.
_LEAST_FREE = 1 << 30


def check_disk(settings: Settings) -> Check:
    """Look at the space that is left where the state is kept."""
    folder = settings.state_dir.absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < _LEAST_FREE:
        return failed("disk", found, "make room, or set state_dir to a larger disk; a training needs 1 GiB")
    return passed("disk", found)


def check_holdout_key(settings: Settings) -> Check:
    """Look at who may read the key that splits users; who has it can tell whose conversations are in the ledger."""
    path = settings.holdout.key_file or settings.state_dir / "holdout.key"
    if not path.exists():
        if settings.holdout.key_file is None:
            return passed(
                "holdout key", f"{path} is not there yet; the first start of `retuned run` makes it"
            )
        return failed("holdout key", f"there is no {path}", "mend holdout.key_file, or put the key there")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return failed("holdout key", f"others may use {path} (mode {mode:o})", f"chmod 600 {path}")
    return passed("holdout key", f"only its owner may read {path}")


def check_http(settings: Settings) -> Check:
    """Look whether the daemon answers at its port, or could take it."""
    health = probe(settings.http)
    where = f"{settings.http.host}:{settings.http.port}"
    if health.running and not health.ready:
        problems = "; ".join(f"{name}: {problem}" for name, problem in health.problems.items())
        return failed("daemon", f"it runs, but is not ready: {problems}", "mend what it names; see its log")
    if health.running:
        return passed("daemon", f"it runs and is ready, at {health.url}")
    with socket.socket(socket.AF_INET6 if ":" in settings.http.host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.http.host, settings.http.port))
        except OSError as error:
            remedy = "set http.port to a free one, or end what holds it"
            return failed(
                "daemon", f"it does not run, and could not listen at {where}: {error.strerror}", remedy
            )
    return passed("daemon", f"it does not run; {where} is free for it")
