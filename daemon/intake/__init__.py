"""Intake: turns records of the topic into conversations, feedback and dead letters of the ledger."""
