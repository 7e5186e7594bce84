"""Checks that the settings of SASL agree with each other."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from daemon.config.loopback import is_loopback

if TYPE_CHECKING:
    from daemon.config.sections.kafka import KafkaSection

_PASSWORD = ("sasl_username", "sasl_password_file (or sasl_password)")
_OAUTH = ("oauth_token_url", "oauth_client_id", "oauth_client_secret_file (or oauth_client_secret)")
_OAUTH_OPTIONAL = ("oauth_scope", "oauth_extra", "oauth_extensions", "oauth_cafile")
#: Fields of the token request that have settings of their own, or one possible value.
_RESERVED = {"grant_type", "client_id", "client_secret", "scope"}
#: RFC 7628, section 3.1.
_EXTENSION_NAME, _EXTENSION_VALUE = re.compile(r"[A-Za-z]+"), re.compile(r"[\x21-\x7e \t\r\n]+")


def sasl_mistakes(kafka: "KafkaSection") -> Iterator[str]:
    """Yield what is missing for the mechanism, what it does not use, and what can't be sent."""
    given = _given(kafka)
    if not kafka.security_protocol.startswith("SASL"):
        if given or kafka.sasl_mechanism:
            protocol = "SASL_SSL" if kafka.security_protocol == "SSL" else "SASL_SSL or SASL_PLAINTEXT"
            yield f"security_protocol {kafka.security_protocol} uses no SASL settings: set it to {protocol}, or leave them out"
        return
    needed = _needed(kafka.sasl_mechanism, given)
    if missing := [name for name in needed if name not in given]:
        yield f"{kafka.security_protocol} needs {', '.join(missing)}"
    if kafka.sasl_mechanism is not None:
        yield from _mechanism_mistakes(kafka, given, needed)


def _given(kafka: "KafkaSection") -> list[str]:
    """Return the SASL settings that are set, but for the mechanism, as messages name them."""
    values = {
        "sasl_username": kafka.sasl_username,
        _PASSWORD[1]: kafka.sasl_password or kafka.sasl_password_file,
        "oauth_token_url": kafka.oauth_token_url,
        "oauth_client_id": kafka.oauth_client_id,
        _OAUTH[2]: kafka.oauth_client_secret or kafka.oauth_client_secret_file,
        **{name: getattr(kafka, name) for name in _OAUTH_OPTIONAL},
    }
    return [name for name, value in values.items() if value]


def _needed(mechanism: str | None, given: list[str]) -> tuple[str, ...]:
    """Return what a mechanism needs. Without one, what is given shows which is meant."""
    if mechanism is None:
        meant = _OAUTH if any(name.startswith("oauth") for name in given) else _PASSWORD
        return ("sasl_mechanism", *meant)
    return {"OAUTHBEARER": _OAUTH, "AWS_MSK_IAM": ()}.get(mechanism, _PASSWORD)


def _mechanism_mistakes(kafka: "KafkaSection", given: list[str], needed: tuple[str, ...]) -> Iterator[str]:
    optional = _OAUTH_OPTIONAL if kafka.sasl_mechanism == "OAUTHBEARER" else ()
    if unused := [name for name in given if name not in needed and name not in optional]:
        other = "OAUTHBEARER" if unused[0].startswith("oauth") else "PLAIN or a SCRAM mechanism"
        yield f"sasl_mechanism {kafka.sasl_mechanism} does not use {', '.join(unused)}: set it to {other}, or leave them out"
    if kafka.sasl_mechanism == "AWS_MSK_IAM" and kafka.security_protocol != "SASL_SSL":
        yield "sasl_mechanism AWS_MSK_IAM needs security_protocol SASL_SSL"
    if kafka.oauth_token_url is not None and (problem := _url_problem(kafka.oauth_token_url)):
        yield f"oauth_token_url {problem}"
    if taken := sorted(_RESERVED & kafka.oauth_extra.keys()):
        yield f"oauth_extra can't hold {', '.join(taken)}: use the settings for them"
    for name, value in kafka.oauth_extensions.items():
        if name == "auth" or not _EXTENSION_NAME.fullmatch(name) or not _EXTENSION_VALUE.fullmatch(value):
            yield f"oauth_extensions.{name} can't be sent: a name has letters only and is not auth, a value is ASCII text"


def _url_problem(url: str) -> str | None:
    """Return why a URL can't be asked for a token; None if it can. The URL may hold a password: it is not quoted."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("https", "http") or not host:
        return "must be a URL such as https://login.example.com/oauth2/token"
    if "@" in parts.netloc:
        return "must hold no user and password: use oauth_client_id and oauth_client_secret_file"
    if parts.scheme == "http" and not is_loopback(host):
        return "must be https: over http anybody on the way reads the secret and the token"
    return None
