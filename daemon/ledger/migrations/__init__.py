"""Schema migrations of the ledger, the registry's tables included."""
