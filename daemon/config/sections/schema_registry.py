"""Settings of the section ``kafka.schema_registry``."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr, model_validator

from daemon.config.loopback import is_loopback
from daemon.config.mistakes import Disagreement, Problem
from daemon.config.sections.base import Section


class SchemaRegistrySection(Section):
    """The schema registry of producers that write Avro. Records in JSON Schema's framing are read without it."""

    url: str | None = None
    """URL of a registry with Confluent's interface, such as https://registry.example.com. Schemas are fetched by their id,
    once; no other host is asked. Needs `pip install 'retuned[avro]'`. Unset: Avro is refused."""
    username: str | None = None
    """User, or API key, of the registry."""
    password: SecretStr | None = None
    """Password of the user. Prefer password_file."""
    password_file: Path | None = None
    """File that holds the password. It is read for each request, so a rotated one needs no restart."""
    cafile: Path | None = None
    """PEM file of the authority that signed the registry's certificate. Unset: those that the system trusts."""

    @model_validator(mode="after")
    def _fields_agree(self) -> "SchemaRegistrySection":
        if problems := [Problem(text, (name,)) for name, text in self._mistakes()]:
            raise Disagreement(problems)
        return self

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        has_password = self.password is not None or self.password_file is not None
        if self.url is None:
            if self.username or has_password or self.cafile:
                yield "url", "set url, or leave the other fields out"
            return
        if (self.username is not None) != has_password:
            yield "username", "username and password_file (or password) need each other"
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            yield "url", "is not a URL"
            return
        if parts.scheme not in ("https", "http") or not host or parts.query or parts.fragment:
            yield "url", "must be a URL such as https://registry.example.com"
        elif "@" in parts.netloc:
            yield "url", "must hold no user and password: use username and password_file"
        elif parts.scheme == "http" and has_password and not is_loopback(host):
            yield "url", "must be https: over http anybody on the way reads the password"
