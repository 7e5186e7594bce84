"""Admission of records, and redaction of personal data."""
