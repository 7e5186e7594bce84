"""Erases users and conversations, and names what learned from them."""
