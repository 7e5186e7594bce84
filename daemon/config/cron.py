"""Cron schedules on the caller's clock."""

from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger


class Schedule:
    """Computes when the next scheduled training is due.

    It uses the cron arithmetic of APScheduler but not its thread: the loop passes its own clock, so a clock that steps
    back can't stop the schedule. Times missed while the daemon was down are skipped.
    """

    def __init__(self, cron: str) -> None:
        """Parse five cron fields in UTC. Raises ValueError if they are malformed."""
        self._trigger = CronTrigger.from_crontab(cron, timezone=UTC)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first scheduled time after ``moment``; None if there is none."""
        due: datetime | None = self._trigger.get_next_fire_time(moment, moment)
        return due
