"""What operators look at, gathered from the ledger and the registry as plain values; nothing is printed here."""
