"""Requests and responses of the chat APIs."""
