"""Fetches schemas from a registry with Confluent's interface."""

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import orjson

from daemon.domain.errors import DaemonError
from daemon.domain.streams import StreamError

_TIMEOUT = httpx.Timeout(3.0, connect=2.0)
_ANSWER_S = 5.0  # for the whole answer, which may drip
_MOST_BYTES = 1 << 20
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


class SchemaUnavailable(StreamError):
    """The registry can't be asked for now. The records wait: they must be read again later."""


class UnknownSchema(Exception):
    """The registry has no schema of this id."""


class Reference(NamedTuple):
    """A schema that another one uses."""

    subject: str
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredSchema:
    """A schema as the registry has it."""

    kind: str  # AVRO, JSON or PROTOBUF
    text: str
    references: Sequence[Reference]


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaRegistry:
    """A registry, and who asks it. Follows no redirect and uses no proxy."""

    url: str
    username: str | None = None
    #: Returns the password. Called for each request. Raises DaemonError.
    password: Callable[[], str] = field(default=str, repr=False)
    cafile: str | None = None  # None: the authorities that the system trusts

    def by_id(self, schema_id: int) -> RegisteredSchema:
        """Return the schema of an id. Raises UnknownSchema, SchemaUnavailable."""
        return self._get(f"/schemas/ids/{schema_id}")

    def by_reference(self, reference: Reference) -> RegisteredSchema:
        """Return the schema that another one uses. Raises UnknownSchema, SchemaUnavailable."""
        return self._get(f"/subjects/{quote(reference.subject, safe='')}/versions/{reference.version}")

    def _get(self, path: str) -> RegisteredSchema:
        url = self.url.rstrip("/") + path
        try:
            status, body = self._request(url)
        except (httpx.HTTPError, OSError, DaemonError) as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise SchemaUnavailable(f"{url}: {words}; check kafka.schema_registry") from error
        if status == httpx.codes.NOT_FOUND:
            raise UnknownSchema(path)
        if status != httpx.codes.OK:
            raise SchemaUnavailable(f"{url} answers {status}{_remedy(status)}")
        try:
            return _schema(orjson.loads(body))
        except (KeyError, TypeError, ValueError):
            raise SchemaUnavailable(
                f"{url} does not answer as a schema registry does; correct kafka.schema_registry.url"
            ) from None

    def _request(self, url: str) -> tuple[int, bytes]:
        deadline = time.monotonic() + _ANSWER_S
        auth = None if self.username is None else httpx.BasicAuth(self.username, self.password())
        body = b""
        context = ssl.create_default_context(cafile=self.cafile)
        with (
            httpx.Client(verify=context, trust_env=False, timeout=_TIMEOUT, auth=auth) as client,
            client.stream("GET", url, headers={"Accept": _ACCEPT}) as response,
        ):
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise httpx.ReadError(f"its answer has more than {_MOST_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"its answer takes longer than {_ANSWER_S:g} s")
        return response.status_code, body


def _schema(document: Any) -> RegisteredSchema:
    """Raises KeyError, TypeError or ValueError for what is no schema."""
    if not isinstance(document, dict):
        raise TypeError(type(document))
    references = [Reference(one["subject"], int(one["version"])) for one in document.get("references") or ()]
    text, kind = document["schema"], document.get("schemaType") or "AVRO"
    if not isinstance(text, str) or not isinstance(kind, str):
        raise TypeError(type(text))
    return RegisteredSchema(kind=kind, text=text, references=references)


def _remedy(status: int) -> str:
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return ": check kafka.schema_registry.username and its password"
    if 300 <= status < 400:
        return ", a redirect, which is not followed: set kafka.schema_registry.url to the final address"
    return "; it is asked again"
