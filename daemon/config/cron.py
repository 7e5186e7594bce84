"""Cron times, through APScheduler's trigger, on the caller's clock."""

from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger


class Schedule:
    """Says when the next scheduled training is due.

    Only APScheduler's cron arithmetic is used and not its thread: the loop asks with its own clock, so a clock
    that steps back can't stop the schedule, and a time missed while the daemon was down is not made up for.
    """

    def __init__(self, cron: str) -> None:
        """Read five cron fields, UTC. Raises ValueError where they are malformed."""
        self._trigger = CronTrigger.from_crontab(cron, timezone=UTC)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first scheduled time after ``moment``; None where there never is one."""
        due: datetime | None = self._trigger.get_next_fire_time(moment, moment)
        return due
