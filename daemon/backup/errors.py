"""Errors of backups; each message says what to do next."""

from daemon.domain.errors import DaemonError, Misuse


class BadBackup(DaemonError):
    """A file is no backup, or is not as it was written. Nothing was restored from it."""


class BackupRefused(DaemonError):
    """The state does not allow it, or it was not confirmed. Nothing was changed."""


class BadLedgerUrl(Misuse):
    """A URL names no place that a ledger can have."""
