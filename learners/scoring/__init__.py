"""Scoring and answering: the functions, the child that holds the models, and its client."""
