"""Checks this machine: disk space, who can read the state, the HTTP port."""

import os
import shlex
import shutil
from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.addresses import bracketed
from daemon.config.settings import Settings
from daemon.domain.private_files import FILE_MODE, FOLDER_MODE, others_may_use
from daemon.http.probe import probe
from daemon.http.server import bind_listener
from daemon.ledger.database import sqlite_file
from daemon.ledger.stores import has_ledger, ledger_url

#: A training writes checkpoints and an artifact; with less space it may fail.
_LEAST_FREE = 1 << 30


def check_disk(settings: Settings) -> Check:
    """Check the free space in the state folder."""
    folder = settings.state_dir.absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(place, os.W_OK):
        return failed(
            "disk",
            f"{place} can't be written by this user",
            "make it writable for the user that runs the daemon, or set state_dir to another folder",
        )
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < _LEAST_FREE:
        return failed("disk", found, "free 1 GiB for a training, or set state_dir to a larger disk")
    return passed("disk", found)


def check_privacy(settings: Settings) -> Iterator[Check]:
    """Check that nobody else can read the state folder and the ledger, which hold conversations."""
    ledger = sqlite_file(ledger_url(settings))
    for subject, path, wanted in (
        ("state folder", settings.state_dir, FOLDER_MODE),
        ("ledger file", ledger, FILE_MODE),
    ):
        if path is None or not path.exists():
            continue
        mode = others_may_use(path)
        if mode is None:
            yield passed(subject, f"only its owner can read {path}")
        else:
            found = f"others can read or change {path} (mode {mode:o})"
            yield failed(subject, found, f"chmod {wanted:o} {shlex.quote(str(path))}")


def check_holdout_key(settings: Settings) -> Check:
    """Check who can read the key that splits users: it reveals whose conversations are in the ledger."""
    path = settings.holdout.key_file or settings.state_dir / "holdout.key"
    if not path.exists():
        if settings.holdout.key_file is None and not has_ledger(settings):
            return passed(
                "holdout key", f"{path} does not exist yet; the first start of `retuned run` creates it"
            )
        return failed(
            "holdout key", f"{path} does not exist", "restore the key there, or correct holdout.key_file"
        )
    mode = others_may_use(path)
    if mode is not None:
        found = f"others can read or change {path} (mode {mode:o})"
        return failed("holdout key", found, f"chmod 600 {shlex.quote(str(path))}")
    return passed("holdout key", f"only its owner can read {path}")


def check_http(settings: Settings) -> Check:
    """Check that the daemon is ready, or that its port is free."""
    health = probe(settings.http, model_line=settings.model_line)
    where = f"{bracketed(settings.http.host)}:{settings.http.port}"
    if health.running and not health.ready:
        problems = "; ".join(f"{name}: {problem}" for name, problem in health.problems.items())
        return failed(
            "daemon",
            f"running, but not ready: {problems}",
            "repair the component named; the daemon's log has the details",
        )
    if health.other is not None:
        return failed(
            "daemon",
            f"not running: {health.absence}",
            "set http.port to a free port, or stop that program",
        )
    if health.running:
        return passed("daemon", f"running and ready at {health.url}")
    try:
        bind_listener(settings.http.host, settings.http.port, backlog=1).close()
    except OSError as error:
        remedy = "set http.port to a free port, or stop the program that holds this one"
        found = f"not running, and could not listen at {where}: {error.strerror or error}"
        return failed("daemon", found, remedy)
    return passed("daemon", f"not running; {where} is free")
