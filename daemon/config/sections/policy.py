"""Settings of the section ``policy``."""

from pydantic import Field, field_validator

from daemon.config.sections.base import Positive, Section


class PolicySection(Section):
    """When to train."""

    on_drift: bool = True
    """Train after a drift alarm."""
    triage: bool = True
    """Triage each confirmed alarm, and train only where the change does harm and training can help. false: every confirmed
    alarm starts a training."""
    after_conversations: Positive | None = None
    """Train after this many new conversations, with or without drift. Unset: never for this reason."""
    schedule: str | None = None
    """Train at these times: five cron fields in UTC, such as "0 3 * * 1". Unset: never for this reason."""
    min_new_conversations: Positive = 300
    """Fewest new conversations for a training. Smaller: trainings start sooner, and more gates are inconclusive."""
    max_new_conversations: Positive = 5_000
    """Most new conversations in a training, newest first. Bounds its duration."""
    cooldown_s: float = Field(3_600, ge=0)
    """Seconds between the end of a training and the next automatic one."""

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, value: str | None) -> str | None:
        if value is not None:
            from daemon.config.cron import Schedule

            try:
                Schedule(value)
            except ValueError as error:
                raise ValueError(
                    'must be five cron fields in UTC (minute, hour, day, month, weekday), such as "0 3 * * 1"'
                ) from error
        return value
