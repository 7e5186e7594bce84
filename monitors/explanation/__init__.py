"""Explains what changed, for people."""
