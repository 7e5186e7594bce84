"""Scoring conversations under versions, in the scorer child."""
