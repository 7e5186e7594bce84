"""Releases: takes candidates through the gate, promotes and rolls back."""
