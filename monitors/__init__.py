"""Monitors detect, confirm and explain drift of conversations: pure functions of text and numbers."""
