"""Intake: bytes of the topic in; conversations, feedback and dead letters of the ledger out."""
