"""Builds the daemon out of its parts and runs its loop."""
