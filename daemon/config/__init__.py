"""Settings: what can be set, and how the file and the environment are read."""
