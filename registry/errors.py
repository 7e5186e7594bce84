"""Errors that the registry raises. Each refusal is a class of its own and names what to do next."""


class RegistryError(Exception):
    """Root of all errors of the registry."""
