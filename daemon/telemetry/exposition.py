"""Reads metrics in Prometheus' text format."""

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

__all__ = ["Sample", "read_samples"]


def read_samples(exposition: str, name: str) -> list[Sample]:
    """Return the samples of one series name. Raises ValueError where the text is malformed."""
    return [
        sample
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == name
    ]
