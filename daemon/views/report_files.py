"""Writes a window's report out of the ledger into a file."""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.errors import DaemonError
from daemon.ledger.reports import ReportLedger


class NoReport(DaemonError):
    """There is no such report in the ledger. The message names those that there are."""


class CannotWrite(DaemonError):
    """The file can't be written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenReport:
    """A report in a file."""

    window: int
    path: Path
    size: int  # bytes


def write_report(reports: ReportLedger, window: int | None, path: Path | None) -> WrittenReport:
    """Write the report of a window, or the newest, for its owner alone to read. Raises NoReport, CannotWrite."""
    known = [entry.window for entry in reports.newest_first()]
    number = window if window is not None else next(iter(known), None)
    packed = None if number is None else reports.html(number)
    if number is None or packed is None:
        raise NoReport(_missing(window, known))
    page, target = gzip.decompress(packed), path or Path(f"report-{number}.html")
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(page)
    except OSError as error:
        raise CannotWrite(
            f"{target} can't be written: {error.strerror}; choose another with --output"
        ) from error
    return WrittenReport(window=number, path=target, size=len(page))


def _missing(window: int | None, known: list[int]) -> str:
    if not known:
        return (
            "no report was made yet, or all went with their conversations; one is made whenever the detector raises an "
            "alarm or a window confirms one. See `retuned drift show`"
        )
    there = ", ".join(map(str, known))
    return f"window {window} has no report; there are reports of {there}. `retuned drift report {known[0]}` writes the newest"
