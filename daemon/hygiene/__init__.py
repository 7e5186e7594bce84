"""Makes records fit to be kept: personal data out, copies and floods recognised."""
