"""Versions of a model line, their lineage, the gate and the promotion log."""
