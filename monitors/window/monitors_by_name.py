"""Builds a window monitor by its name. Loads Evidently."""

from monitors.settings import MonitorSettings
from monitors.types import Monitor
from monitors.window.columns import ColumnsMonitor
from monitors.window.mmd import TextDiscrepancyMonitor
from monitors.window.text_domain import TextDomainMonitor


def build(name: str, settings: MonitorSettings) -> Monitor:
    """Return the monitor of that name, one of ``monitors.settings.MONITORS``."""
    rate = settings.conversations_between_false_alarms
    if name == "mmd":
        return TextDiscrepancyMonitor(
            conversations_between_false_alarms=rate,
            permutations=settings.permutations,
            seed=settings.seed,
            minimum=settings.minimum,
            level=settings.confirmation_level if settings.confirming else None,
        )
    if name == "columns":
        return ColumnsMonitor(conversations_between_false_alarms=rate, minimum=settings.minimum)
    return TextDomainMonitor(conversations_between_false_alarms=rate, minimum=settings.minimum)
