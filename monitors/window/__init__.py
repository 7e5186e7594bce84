"""Tests that compare a window with the reference."""
