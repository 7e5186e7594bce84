"""Limits of the ledger's size for tests: smaller than the settings allow."""

from daemon.config.settings import RetentionSection


def some_retention(**limits: float | None) -> RetentionSection:
    """The defaults, but for these limits."""
    return RetentionSection().model_copy(update=limits)
