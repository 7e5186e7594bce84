"""Confidence bounds of the average run length between false alarms."""

from math import inf

from scipy.stats import chi2

_ERROR = 0.05  # of each bound by itself


def run_length_bounds(alarms: int, conversations: int) -> tuple[float, float]:
    """Return the lower and the upper 95% bound of the average run length, if run lengths are exponential."""
    lower = 2 * conversations / chi2.ppf(1 - _ERROR, 2 * (alarms + 1))
    upper = 2 * conversations / chi2.ppf(_ERROR, 2 * alarms) if alarms else inf
    return float(lower), float(upper)
