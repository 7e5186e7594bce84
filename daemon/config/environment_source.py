"""Reads nested settings from environment variables with pydantic-settings."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from daemon.config.settings import Settings


def read_nested(environ: Mapping[str, str], *, prefix: str, delimiter: str) -> dict[str, Any]:
    """Return the settings that variables name, nested as in the file."""
    return _Source(environ, prefix=prefix, delimiter=delimiter)()


class _FromEnvironment(Settings, BaseSettings):  # type: ignore[misc]  # the configurations of both are merged
    """The settings, for the source to look up their fields. It is never instantiated."""


class _Source(EnvSettingsSource):
    """Reads the given variables rather than those of the process."""

    def __init__(self, environ: Mapping[str, str], *, prefix: str, delimiter: str) -> None:
        self._environ = environ
        super().__init__(_FromEnvironment, env_prefix=prefix, env_nested_delimiter=delimiter)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read a list or a mapping as JSON; what is no JSON, such as [::1]:9092, as texts between commas."""
        if not isinstance(value, str) or value.lstrip().startswith(("[", "{")):
            with suppress(ValueError):
                return super().decode_complex_value(field_name, field, value)
        return [part.strip() for part in str(value).split(",")]
