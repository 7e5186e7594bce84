"""Sentence embeddings: the encoder, the child that holds it, and its client."""
