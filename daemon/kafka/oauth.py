"""Keeps an OAuth access token fresh for every client of the process."""

import logging
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from daemon.domain.backoff import Backoff
from daemon.domain.errors import DaemonError
from daemon.domain.log_once import LogOnce

_log = logging.getLogger(__name__)

ClientAuthentication: TypeAlias = Literal["basic", "post"]

#: The share of a token's life after which it is renewed.
_RENEW_AT = 0.8
#: Between two fetches, however short the tokens live.
_SHORTEST_S = 0.2
_RETRY_S, _LONGEST_RETRY_S = 1.0, 15.0
#: How long a client's thread waits for the first token. The client connects again by itself, so it need not wait long.
_WAIT_S = 2.0
#: RFC 6750, section 2.1. Any other character could end the field of the SASL message that carries the token.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class TokenError(DaemonError):
    """No token was obtained. The message names endpoint, cause and remedy, and never the secret or a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientCredentials:
    """How to ask a token endpoint for a token, by OAuth's grant of client credentials (RFC 6749, section 4.4)."""

    token_url: str
    client_id: str
    #: Returns the client's secret. Called for each token, so that a rotated one is used. Raises DaemonError.
    secret: Callable[[], str] = field(repr=False)
    authentication: ClientAuthentication = "basic"
    scope: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)  # further ones of the request
    cafile: str | None = None  # authorities of the endpoint's certificate; None: those that the system trusts


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """An access token and the seconds that it lives from its request on."""

    value: str = field(repr=False)
    life_s: float

    def __post_init__(self) -> None:
        """Raises ValueError for a value that is no bearer token."""
        if not _TOKEN.fullmatch(self.value):
            raise ValueError("the access token has characters that no bearer token may have")


Fetch: TypeAlias = Callable[[ClientCredentials], Token]


class OAuthTokens:
    """Hands out a valid token, which a thread of its own renews at 80% of its life.

    While the renewal fails, it is tried again with backoff, and the old token serves until its end. The thread starts
    with the first token asked for and ends when nobody holds this object any more. Thread-safe.
    """

    def __init__(
        self,
        credentials: ClientCredentials,
        *,
        extensions: Mapping[str, str] | None = None,
        fetch: Fetch | None = None,
        wait_s: float = _WAIT_S,
    ) -> None:
        """``extensions`` are sent to the broker beside the token (RFC 7628). ``fetch`` raises TokenError."""
        self.client_id = credentials.client_id
        self.extensions = dict(extensions or {})
        self._wait_s = wait_s
        self._renewal = _Renewal(credentials, fetch or _fetch)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        weakref.finalize(self, self._renewal.close)

    def __repr__(self) -> str:
        return f"OAuthTokens(client_id={self.client_id!r})"

    def token(self) -> str:
        """Return a valid token. Waits at most ``wait_s`` for one that is on its way. Raises TokenError."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=copy_context().run, args=(self._renewal.run,), name="kafka-tokens", daemon=True
                )
                self._thread.start()
        return self._renewal.newest(self._wait_s)

    @property
    def seconds_left(self) -> float | None:
        """How long the newest token is valid yet; negative for one that has expired, None without one."""
        return self._renewal.seconds_left()

    @property
    def failing_for_s(self) -> float | None:
        """For how long no token could be fetched; None while they can."""
        return self._renewal.failing_for_s()


class _Renewal:
    """The newest token and the thread's work on it. Knows nothing of its owner, so that the owner can be collected."""

    def __init__(self, credentials: ClientCredentials, fetch: Fetch) -> None:
        self._credentials = credentials
        self._fetch = fetch
        self._backoff = Backoff(_RETRY_S, _LONGEST_RETRY_S)
        self._fetching = LogOnce("fetching a token for Kafka", _log)
        self._changed = threading.Condition()
        self._token: Token | None = None
        self._ends_at = 0.0
        self._failure: str | None = None
        self._failing_since = 0.0  # while there is a failure
        self._closed = False

    def run(self) -> None:
        """Fetch and renew until closed."""
        wait_s = 0.0
        while not self._closed_within(wait_s):
            wait_s = self._attempt()

    def newest(self, wait_s: float) -> str:
        """Return the token if it is valid, else wait for the outcome of an attempt. Raises TokenError."""
        with self._changed:
            self._changed.wait_for(lambda: self._valid() or self._failure is not None, wait_s)
            if self._token is not None and self._valid():
                return self._token.value
            late = f"{self._credentials.token_url} has not answered within {wait_s:g} s; the next attempt may find a token"
            raise TokenError(self._failure or late)

    def seconds_left(self) -> float | None:
        """See OAuthTokens."""
        with self._changed:
            return None if self._token is None else self._ends_at - time.monotonic()

    def failing_for_s(self) -> float | None:
        """See OAuthTokens."""
        with self._changed:
            return None if self._failure is None else time.monotonic() - self._failing_since

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _attempt(self) -> float:
        """Fetch once; return the seconds until the next attempt."""
        begin = time.monotonic()
        try:
            token = self._fetch(self._credentials)
        except TokenError as error:
            self._fetching.failed(error)
            with self._changed:
                if self._failure is None:
                    self._failing_since = begin
                self._failure = str(error)
                self._changed.notify_all()
            return self._backoff.fail(time.monotonic())
        self._fetching.recovered()
        self._backoff.reset()
        with self._changed:
            self._token, self._ends_at, self._failure = token, begin + token.life_s, None
            self._changed.notify_all()
        return max(_SHORTEST_S, begin + _RENEW_AT * token.life_s - time.monotonic())

    def _closed_within(self, wait_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, min(wait_s, threading.TIMEOUT_MAX))

    def _valid(self) -> bool:
        return self._token is not None and time.monotonic() < self._ends_at


def _fetch(credentials: ClientCredentials) -> Token:
    from daemon.kafka.token_endpoint import fetch_token  # brings the HTTP client, which few need

    return fetch_token(credentials)
