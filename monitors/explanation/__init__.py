"""Explains what changed in a window."""
