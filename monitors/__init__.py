"""Monitors judge a window of conversations against a reference: pure functions of text and numbers."""
