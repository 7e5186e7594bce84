"""Base models and adapters: their files, checks and layers."""
