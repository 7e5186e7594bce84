"""Adapts the settings to the plain values that monitors take."""

from dataclasses import replace

from daemon.config.settings import Settings
from monitors.sample_requirements import SampleRequirements
from monitors.sequential.pending_alarm import LOOKS
from monitors.settings import MonitorSettings
from monitors.types import PLAIN_ASPECTS, Aspect


def monitor_settings(settings: Settings) -> MonitorSettings:
    """Return how windows are judged. A window or reference that is full by the settings is enough for a verdict."""
    section, windows, default = settings.monitors, settings.windows, SampleRequirements()
    return MonitorSettings(
        minimum=replace(
            default,
            window=min(default.window, windows.size, windows.min_size),
            reference=min(default.reference, windows.reference_size),
        ),
        conversations_between_false_alarms=section.conversations_between_false_alarms,
        confirmation_level=section.confirmation_level / LOOKS,
        seed=section.seed,
        cycle_days=windows.reference_days,
    )


def aspects(settings: Settings) -> tuple[Aspect, ...]:
    """Return the aspects that the detector bets on when it sees a conversation."""
    configured = {
        Aspect.LABEL: bool(settings.monitors.label_fields),
        Aspect.EMBEDDING: settings.monitors.embedding.model is not None,
    }
    return (*PLAIN_ASPECTS, *(aspect for aspect, wanted in configured.items() if wanted))


def late_aspects(settings: Settings) -> tuple[Aspect, ...]:
    """Return the aspects whose signals arrive after the detector has seen the conversation."""
    loss = (Aspect.CONCEPT,) if settings.monitors.loss_share else ()
    return (Aspect.QUALITY, Aspect.FEEDBACK_RATE, *loss)
