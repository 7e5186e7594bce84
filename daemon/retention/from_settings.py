"""Turns section ``retention`` of the settings into what stays."""

import math
from datetime import timedelta

from daemon.config.settings import Settings
from daemon.retention.conversations import Keep
from daemon.retention.history import KeepHistory


def keep(settings: Settings) -> Keep:
    """Return how many conversations stay."""
    section = settings.retention
    return Keep(
        conversations=section.conversations,
        sample=section.sample,
        max_age=_days(section.max_age_days),
        known=section.known_ids,
        feedback=timedelta(days=section.feedback_days),
    )


def keep_history(settings: Settings) -> KeepHistory:
    """Return how much of the past can be looked up."""
    section = settings.retention
    longest = min(section.dead_letters_days, section.max_age_days or math.inf)
    return KeepHistory(
        rows=section.history,
        reports=section.reports,
        dead_letters=section.dead_letters,
        dead_letter_age=timedelta(days=longest),
        text_age=_days(section.max_age_days),
    )


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
