"""The daemon: the loop, its stages, and everything that talks to the world."""
