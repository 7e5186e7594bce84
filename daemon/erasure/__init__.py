"""Erasure of users and conversations."""
