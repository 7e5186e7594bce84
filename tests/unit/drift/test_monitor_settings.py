"""What the settings come to, for each package."""

from pathlib import Path

from daemon.drift.monitor_settings import monitor_settings
from monitors.sample_requirements import SampleRequirements
from tests.factories.daemon import line_settings


def test_a_window_or_a_reference_as_small_as_the_settings_allow_is_enough_for_a_verdict(
    tmp_path: Path,
) -> None:
    """Else every window would be inconclusive, and no alarm ever confirmed."""
    small = line_settings(tmp_path, windows={"size": 20, "min_size": 10, "reference_size": 50})

    assert monitor_settings(small).minimum == SampleRequirements(window=10, reference=50)
    assert monitor_settings(line_settings(tmp_path, windows={})).minimum == SampleRequirements()
