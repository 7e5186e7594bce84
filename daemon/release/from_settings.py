"""Turns section ``gate`` of the settings into the plain values that the registry takes."""

from daemon.config.settings import Settings
from registry.gate import GateSettings


def gate_settings(settings: Settings) -> GateSettings:
    """Return what a candidate must show."""
    section = settings.gate
    return GateSettings(
        alpha=section.alpha, margin=section.margin, min_gain=section.min_gain, max_looks=section.max_looks
    )
