"""Errors that the daemon raises; each says what to do next."""


class DaemonError(Exception):
    """Root of all errors of the daemon."""


class Misuse(DaemonError):
    """What was asked for contradicts itself, or names what is not there. The command line is to be corrected."""


class LedgerError(DaemonError):
    """The ledger can't be used as it is."""


class StaleLeader(LedgerError):
    """Another replica leads by now; nothing was written. Go on as a follower."""


class ForgottenMeanwhile(DaemonError):
    """What a run was to learn from was forgotten while it was planned. Plan it again: what is gone is left out then."""


class NotEnoughData(DaemonError):
    """A training can't be put together from what the ledger holds."""
