"""What both versions write on the same prompts: exact checks, figures, and prompts of our own. Pure."""
