"""Errors of the daemon; each message says what to do next."""


class DaemonError(Exception):
    """Root of all errors of the daemon."""


class Misuse(DaemonError):
    """A request contradicts itself or names something unknown. Correct the command line."""


class LedgerError(DaemonError):
    """The ledger can't be used as it is."""


class LedgerUnavailable(LedgerError):
    """The ledger can't be used for now: it does not answer, is locked, or its disk is full.

    Nothing of the transaction was written, or all of it where the answer to the commit was lost. Go on from what the
    ledger says once it can be used again.
    """


class LedgerLost(LedgerError):
    """The ledger is damaged, was moved, deleted or replaced. Going on would lose data: end the process."""


class StaleLeader(LedgerError):
    """Another replica has become leader; nothing was written. Continue as a follower."""


class ForgottenMeanwhile(DaemonError):
    """Some training data was forgotten while the run was planned. Plan it again without that data."""


class NotEnoughData(DaemonError):
    """The ledger holds too little data for a training."""
