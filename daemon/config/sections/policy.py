"""Settings of the section ``policy``."""

from pydantic import Field, field_validator, model_validator

from daemon.config.sections.base import Positive, Reloadable, Section

_OLD_NAME = "min_new_conversations"


class PolicySection(Section):
    """When to train."""

    on_drift: bool = True
    """Train after a drift alarm."""
    triage: bool = True
    """Triage each confirmed alarm, and train only where the change does harm and training can help. false: every confirmed
    alarm starts a training."""
    after_conversations: Reloadable[Positive | None] = None
    """Train after this many new lessons, with or without drift. Unset: never for this reason."""
    schedule: Reloadable[str | None] = None
    """Train at these times: five cron fields in UTC, such as "0 3 * * 1". Unset: never for this reason."""
    min_new_lessons: Reloadable[Positive] = 300
    """Fewest new lessons that a training waits for: answers to imitate, pairs to prefer. Own answers that nobody judged
    are none. Smaller: trainings start sooner, and more gates are inconclusive. Earlier releases
    called it `min_new_conversations`, which is still read."""
    max_new_conversations: Reloadable[Positive] = 5_000
    """Most new conversations with a lesson in a training, newest first. Bounds its duration."""
    cooldown_s: Reloadable[float] = Field(3_600, ge=0)
    """Seconds between the end of a training and the next automatic one."""

    @model_validator(mode="before")
    @classmethod
    def _reads_the_old_name(cls, values: object) -> object:
        if isinstance(values, dict) and _OLD_NAME in values:
            if "min_new_lessons" in values:
                raise ValueError(f"min_new_lessons and {_OLD_NAME} are the same setting; remove {_OLD_NAME}")
            return {("min_new_lessons" if key == _OLD_NAME else key): value for key, value in values.items()}
        return values

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
