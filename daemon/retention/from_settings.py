"""Turns section ``retention`` of the settings into what stays."""

import math
from datetime import timedelta

from daemon.config.settings import Settings
from daemon.retention.conversations import RetentionLimits
from daemon.retention.history import HistoryLimits


def retention_limits(settings: Settings) -> RetentionLimits:
    """Return how many conversations stay."""
    section = settings.retention
    return RetentionLimits(
        conversations=section.conversations,
        sample=section.sample,
        max_age=_days(section.max_age_days),
        known=section.known_ids,
        feedback=timedelta(days=section.feedback_days),
    )


def history_limits(settings: Settings) -> HistoryLimits:
    """Return how much of the past can be looked up."""
    section = settings.retention
    longest = min(section.dead_letters_days, section.max_age_days or math.inf)
    return HistoryLimits(
        rows=section.history,
        reports=section.reports,
        dead_letters=section.dead_letters,
        dead_letter_age=timedelta(days=longest),
        text_age=_days(section.max_age_days),
    )


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
