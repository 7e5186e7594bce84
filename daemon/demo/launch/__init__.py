"""The story of the demo: a support line for retuned itself, whose model does not know retuned's settings."""
