"""Errors of the daemon; each message says what to do next."""


class DaemonError(Exception):
    """Root of all errors of the daemon."""


class Misuse(DaemonError):
    """A request contradicts itself or names something unknown. Correct the command line."""


class LedgerError(DaemonError):
    """The ledger can't be used as it is."""


class StaleLeader(LedgerError):
    """Another replica has become leader; nothing was written. Continue as a follower."""


class ForgottenMeanwhile(DaemonError):
    """Some training data was forgotten while the run was planned. Plan it again without that data."""


class NotEnoughData(DaemonError):
    """The ledger holds too little data for a training."""
