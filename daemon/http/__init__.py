"""The HTTP port: metrics, probes and reports."""
