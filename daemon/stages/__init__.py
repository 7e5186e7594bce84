"""The loop's stages. Each owns one worry, never blocks, and leaves its facts in the ledger for the next."""
