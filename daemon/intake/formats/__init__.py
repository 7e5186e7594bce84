"""The formats of conversation logs: envelopes around the dialects of the chat APIs."""
