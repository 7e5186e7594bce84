"""Checks this machine: disk space, the holdout key's file, the HTTP port."""

import shutil
import socket
import stat

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.http.probe import probe

#: A training writes checkpoints and an artifact; with less space it may fail.
_LEAST_FREE = 1 << 30


def check_disk(settings: Settings) -> Check:
    """Check the free space in the state folder."""
    folder = settings.state_dir.absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < _LEAST_FREE:
        return failed("disk", found, "free 1 GiB for a training, or set state_dir to a larger disk")
    return passed("disk", found)


def check_holdout_key(settings: Settings) -> Check:
    """Check who can read the key that splits users: it reveals whose conversations are in the ledger."""
    path = settings.holdout.key_file or settings.state_dir / "holdout.key"
    if not path.exists():
        if settings.holdout.key_file is None:
            return passed(
                "holdout key", f"{path} does not exist yet; the first start of `retuned run` creates it"
            )
        return failed(
            "holdout key", f"{path} does not exist", "restore the key there, or correct holdout.key_file"
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return failed("holdout key", f"others can read or change {path} (mode {mode:o})", f"chmod 600 {path}")
    return passed("holdout key", f"only its owner can read {path}")


def check_http(settings: Settings) -> Check:
    """Check that the daemon is ready, or that its port is free."""
    health = probe(settings.http)
    where = f"{settings.http.host}:{settings.http.port}"
    if health.running and not health.ready:
        problems = "; ".join(f"{name}: {problem}" for name, problem in health.problems.items())
        return failed(
            "daemon",
            f"running, but not ready: {problems}",
            "repair the component named; the daemon's log has the details",
        )
    if health.running:
        return passed("daemon", f"running and ready at {health.url}")
    with socket.socket(socket.AF_INET6 if ":" in settings.http.host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.http.host, settings.http.port))
        except OSError as error:
            remedy = "set http.port to a free port, or stop the program that holds this one"
            return failed("daemon", f"not running, and could not listen at {where}: {error.strerror}", remedy)
    return passed("daemon", f"not running; {where} is free")
