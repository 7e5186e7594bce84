"""Releases: the gate, promotion, rollback, and the target that follows the promotion log."""
