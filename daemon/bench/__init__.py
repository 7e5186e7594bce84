"""The benchmark of drift detectors as a command: reads the conversations, writes the figures."""
