"""The base class of the registry's errors."""


class RegistryError(Exception):
    """Base class of all errors of the registry."""
