"""Turns sections of the settings into the bounds that the ledger keeps."""

from datetime import timedelta

from daemon.config.settings import Settings
from daemon.ledger.burst_limit import BurstLimit
from daemon.ledger.dead_letter_ceiling import DeadLetterCeiling


def dead_letter_ceiling(settings: Settings) -> DeadLetterCeiling:
    """Return how many records may be dead letters."""
    section = settings.dead_letters
    return DeadLetterCeiling(share=section.max_share, records=section.among, run=section.max_run)


def burst_limit(settings: Settings) -> BurstLimit | None:
    """Return how much one user may say."""
    section = settings.hygiene
    if section.burst_conversations is None:
        return None
    return BurstLimit(conversations=section.burst_conversations, within=timedelta(seconds=section.burst_s))
