"""Translates settings into the values that the registry takes."""

from daemon.config.settings import GateSection
from registry.gate import GateSettings


def gate_settings(section: GateSection) -> GateSettings:
    """Return what a candidate must show."""
    return GateSettings(
        alpha=section.alpha, margin=section.margin, min_gain=section.min_gain, max_looks=section.max_looks
    )
