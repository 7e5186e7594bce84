"""Plain facts that every package shares. Nothing here reads, writes or imports another package of the daemon."""
