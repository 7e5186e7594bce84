"""Backups of a model line's durable state: writes them and restores them."""
