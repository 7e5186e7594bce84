"""Explains connection errors of the client and of OpenSSL, with the setting to change."""

from collections.abc import Iterator

from daemon.kafka.login import LoginError, refused_login_meaning
from daemon.kafka.settings import KafkaSettings

#: Errors of a TLS handshake with a port that does not speak TLS.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "EOF occurred", "RECORD_LAYER_FAILURE")
#: Errors of the wrong protocol: the broker closes the connection or answers in another protocol.
_HUNG_UP = ("socket disconnected", "ECONNRESET", "Connection reset", "Unable to decode", "Broken pipe")
_FILES = ("No such file", "Permission denied", "[X509", "PEM", "[SSL] ")


def explain(error: BaseException, settings: KafkaSettings) -> str:
    """Return one sentence: the error, what it means, and which setting to change."""
    if isinstance(error, LoginError):
        return str(error)  # says what to change already
    message = " ".join(str(error).split()).removesuffix(".")
    meaning = next(_meanings(message, settings), "check the address and that the broker runs")
    return f"{message}; {meaning}"


def _meanings(message: str, settings: KafkaSettings) -> Iterator[str]:
    """Yield the explanations of an error message, the likeliest first."""
    if settings.security_protocol in ("SSL", "SASL_SSL"):
        yield from _tls_meanings(message, settings)
    if "Sasl" in message or "SASL" in message:
        yield refused_login_meaning(settings)
    if any(words in message for words in _HUNG_UP):
        yield _hang_up_meaning(settings)


def _tls_meanings(message: str, settings: KafkaSettings) -> Iterator[str]:
    if "mismatch" in message:
        yield (
            "the broker's certificate is for other names: use one of them in kafka.bootstrap_servers and in the "
            "broker's advertised listeners, or have the certificate name this one"
        )
    if "certificate has expired" in message:
        yield "the broker's certificate has to be renewed, or this machine's clock is wrong"
    if "CERTIFICATE_VERIFY_FAILED" in message:
        known = f"in {settings.ssl_cafile}" if settings.ssl_cafile else "that this system trusts"
        yield f"no authority {known} signed the broker's certificate: set kafka.ssl_cafile to the one that did"
    if "PROTOCOL_VERSION" in message or "UNSUPPORTED_PROTOCOL" in message:
        yield "the broker speaks no TLS of version 1.2 or newer: enable it there"
    if "ALERT" in message and settings.ssl_certfile is None:
        yield "the broker asks for a client certificate: set kafka.ssl_certfile and kafka.ssl_keyfile"
    if "ALERT" in message:
        yield f"the broker refuses {settings.ssl_certfile}: set kafka.ssl_certfile to one that its authority signed"
    if any(words in message for words in _NOT_TLS):
        plain = settings.security_protocol.replace("SSL", "PLAINTEXT")
        yield f"the port may not speak TLS: name the TLS port, or set kafka.security_protocol to {plain}"
    if any(words in message for words in _FILES):
        yield "check kafka.ssl_cafile, kafka.ssl_certfile and kafka.ssl_keyfile"


def _hang_up_meaning(settings: KafkaSettings) -> str:
    wanted = {
        "PLAINTEXT": "TLS or a password: set kafka.security_protocol to what its port speaks",
        "SSL": "a client certificate (kafka.ssl_certfile) or a password (kafka.security_protocol SASL_SSL)",
        "SASL_PLAINTEXT": "TLS (kafka.security_protocol SASL_SSL), another password or none",
        "SASL_SSL": "a client certificate (kafka.ssl_certfile), another password or none",
    }[settings.security_protocol]
    return f"the broker hung up; unless it is being stopped, it may want {wanted}"
