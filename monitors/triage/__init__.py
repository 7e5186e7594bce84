"""Whether a change does harm, and whether training would help."""
