"""Errors that the daemon raises; each says what to do next."""


class DaemonError(Exception):
    """Root of all errors of the daemon."""


class LedgerError(DaemonError):
    """The ledger can't be used as it is."""


class StaleLeader(LedgerError):
    """Another replica leads by now; nothing was written. Go on as a follower."""


class NotEnoughData(DaemonError):
    """A training can't be put together from what the ledger holds."""
