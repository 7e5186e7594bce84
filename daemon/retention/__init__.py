"""Keeps the size of the ledger steady."""
