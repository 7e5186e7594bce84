"""Whether a change hurts, and whether training would help."""
