"""The running daemon: how it is built from its parts, the loop, and leadership."""
