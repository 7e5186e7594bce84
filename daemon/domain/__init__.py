"""Plain facts that every package shares. This package imports no other package of the daemon."""
