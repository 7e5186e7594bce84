"""A teacher: another model that answers prompts without a good answer, and judges pairs of answers."""
