"""Asks a token endpoint for an access token."""

import base64
import math
import ssl
import time
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
import orjson

from daemon.domain.errors import DaemonError
from daemon.kafka.oauth import ClientCredentials, Token, TokenError

_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
#: For the whole answer, which may drip.
_ANSWER_S = 10.0
_MOST_BYTES = 1 << 18
_MOST_WORDS = 300  # characters of the endpoint's own explanation
#: Of a token whose life nobody tells.
_UNKNOWN_LIFE_S = 300.0


def fetch_token(credentials: ClientCredentials) -> Token:
    """Request a token and return it. Follows no redirect and uses no proxy. Raises TokenError."""
    try:
        secret = credentials.secret()
    except DaemonError as error:
        raise TokenError(f"no token was requested: {error}; see kafka.oauth_client_secret_file") from error
    try:
        response, body = _post(credentials, secret)
    except (httpx.HTTPError, OSError) as error:
        raise TokenError(f"{credentials.token_url}: {_unreachable_meaning(error, credentials)}") from error
    if response.status_code != httpx.codes.OK:
        raise TokenError(f"{credentials.token_url} {_refusal(response, body, secret, credentials)}")
    try:
        document = _document(body)
        value = str.strip(document["access_token"])
        return Token(value=value, life_s=_life_s(document, value))
    except (KeyError, TypeError, ValueError):
        raise TokenError(
            f"{credentials.token_url} answers without a usable access_token: set kafka.oauth_token_url to the token "
            "endpoint of an OAuth server"
        ) from None  # the error may quote the answer


def _post(credentials: ClientCredentials, secret: str) -> tuple[httpx.Response, bytes]:
    form = {"grant_type": "client_credentials", **credentials.parameters}
    if credentials.scope is not None:
        form["scope"] = credentials.scope
    headers = {"Accept": "application/json"}
    if credentials.authentication == "post":
        form |= {"client_id": credentials.client_id, "client_secret": secret}
    else:  # RFC 6749, section 2.3.1
        pair = f"{quote_plus(credentials.client_id)}:{quote_plus(secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    deadline = time.monotonic() + _ANSWER_S
    body = b""
    with (
        httpx.Client(
            verify=ssl.create_default_context(cafile=credentials.cafile), trust_env=False, timeout=_TIMEOUT
        ) as client,
        client.stream("POST", credentials.token_url, data=form, headers=headers) as response,
    ):
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise httpx.ReadError("its answer is longer than an OAuth server's")
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout(f"its answer takes longer than {_ANSWER_S:g} s")
    return response, body


def _document(body: bytes) -> dict[str, Any]:
    """Raises ValueError or TypeError unless the body is a JSON object."""
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise TypeError("not an object")
    return document


def _life_s(document: dict[str, Any], token: str) -> float:
    """Return the seconds that a token lives: as the endpoint says, else as the token itself says if it is a JWT."""
    life_s = _seconds(document.get("expires_in"))
    if life_s is None:
        life_s = _jwt_life_s(token)
    return _UNKNOWN_LIFE_S if life_s is None else life_s


def _jwt_life_s(token: str) -> float | None:
    """Return the time between issue and end of a JWT, which needs no clock that agrees with the endpoint's."""
    try:
        claims = token.split(".")[1]
        document = _document(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return _seconds(document["exp"] - document["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _seconds(value: object) -> float | None:
    """Return a positive number of seconds, which some endpoints write as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _unreachable_meaning(error: Exception, credentials: ClientCredentials) -> str:
    message = " ".join(str(error).split()) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in message:
        known = f"in {credentials.cafile}" if credentials.cafile else "that this system trusts"
        if "mismatch" in message:
            return f"{message}; its certificate is for other names: correct kafka.oauth_token_url"
        return f"{message}; no authority {known} signed its certificate: set kafka.oauth_cafile to the one that did"
    if isinstance(error, httpx.ConnectError | httpx.TimeoutException):
        return f"{message}; check kafka.oauth_token_url and that this machine reaches it"
    if isinstance(error, httpx.HTTPError):
        return f"{message}; check kafka.oauth_token_url"
    return f"{message}; check kafka.oauth_cafile"


def _refusal(response: httpx.Response, body: bytes, secret: str, credentials: ClientCredentials) -> str:
    """Say how the endpoint refused, in its own words, and which setting to check."""
    if response.is_redirect:
        to = urlsplit(response.headers.get("location", "")).netloc or "another path"
        return f"redirects to {to}, which is not followed: set kafka.oauth_token_url to the final address"
    code, words = _own_words(body, secret)
    said = f"answers {response.status_code}{words}"
    if response.status_code == httpx.codes.UNAUTHORIZED or code in ("invalid_client", "unauthorized_client"):
        return f"{said}: check kafka.oauth_client_id ({credentials.client_id}), its secret and kafka.oauth_client_auth"
    if code == "invalid_scope":
        return f"{said}: check kafka.oauth_scope"
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return f"{said}: set kafka.oauth_token_url to the token endpoint"
    if (
        response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
        or response.status_code == httpx.codes.TOO_MANY_REQUESTS
    ):
        return f"{said}; it is tried again"
    return f"{said}: check kafka.oauth_scope and kafka.oauth_extra"


def _own_words(body: bytes, secret: str) -> tuple[str, str]:
    """Return the error code of RFC 6749, and code and description for people, without what must not be shown."""
    try:
        document = _document(body)
    except (ValueError, TypeError):
        return "", ""
    code, description = (str(document.get(name) or "") for name in ("error", "error_description"))
    words = ": ".join(filter(None, (code, description))).replace(secret, "***")
    shown = "".join(letter if letter.isprintable() else " " for letter in words)[:_MOST_WORDS]
    return code, f" {shown}" if shown else ""
