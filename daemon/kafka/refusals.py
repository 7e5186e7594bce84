"""Says why no connection to a broker comes about, and what to do: from the words of the client and of OpenSSL."""

from collections.abc import Iterator

from daemon.kafka.settings import KafkaSettings

#: What a TLS handshake with a port that does not speak TLS ends with.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "EOF occurred", "RECORD_LAYER_FAILURE")
#: What a broker that was spoken to in the wrong way does: it hangs up, or answers in another protocol.
_HUNG_UP = ("socket disconnected", "ECONNRESET", "Connection reset", "Unable to decode", "Broken pipe")
_FILES = ("No such file", "Permission denied", "[X509", "PEM", "[SSL] ")


def explained(error: BaseException, settings: KafkaSettings) -> str:
    """Return one sentence: what happened, what it means, and which setting mends it."""
    said = " ".join(str(error).split()).removesuffix(".")
    meaning = next(_meanings(said, settings), "check the address and that the broker runs")
    return f"{said}; {meaning}"


def _meanings(said: str, settings: KafkaSettings) -> Iterator[str]:
    """Yield what the words mean, the likeliest first."""
    if settings.security_protocol in ("SSL", "SASL_SSL"):
        yield from _of_tls(said, settings)
    if "Sasl" in said or "SASL" in said:
        yield (
            f"the broker refuses user {settings.sasl_username} by {settings.sasl_mechanism}: check kafka.sasl_mechanism, "
            "kafka.sasl_username and the password, and that the port asks for SASL"
        )
    if any(words in said for words in _HUNG_UP):
        yield _of_hanging_up(settings)


def _of_tls(said: str, settings: KafkaSettings) -> Iterator[str]:
    if "mismatch" in said:
        yield (
            "the broker's certificate is for other names: use one of them in kafka.bootstrap_servers and in the "
            "broker's advertised listeners, or have the certificate name this one"
        )
    if "certificate has expired" in said:
        yield "the broker's certificate has to be renewed, or this machine's clock is wrong"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        known = f"in {settings.ssl_cafile}" if settings.ssl_cafile else "that this system trusts"
        yield f"no authority {known} signed the broker's certificate: set kafka.ssl_cafile to the one that did"
    if "PROTOCOL_VERSION" in said or "UNSUPPORTED_PROTOCOL" in said:
        yield "the broker speaks no TLS of version 1.2 or newer: enable it there"
    if "ALERT" in said and settings.ssl_certfile is None:
        yield "the broker asks for a client certificate: set kafka.ssl_certfile and kafka.ssl_keyfile"
    if "ALERT" in said:
        yield f"the broker refuses {settings.ssl_certfile}: set kafka.ssl_certfile to one that its authority signed"
    if any(words in said for words in _NOT_TLS):
        plain = settings.security_protocol.replace("SSL", "PLAINTEXT")
        yield f"the port may not speak TLS: name the TLS port, or set kafka.security_protocol to {plain}"
    if any(words in said for words in _FILES):
        yield "check kafka.ssl_cafile, kafka.ssl_certfile and kafka.ssl_keyfile"


def _of_hanging_up(settings: KafkaSettings) -> str:
    wanted = {
        "PLAINTEXT": "TLS or a password: set kafka.security_protocol to what its port speaks",
        "SSL": "a client certificate (kafka.ssl_certfile) or a password (kafka.security_protocol SASL_SSL)",
        "SASL_PLAINTEXT": "TLS (kafka.security_protocol SASL_SSL), another password or none",
        "SASL_SSL": "a client certificate (kafka.ssl_certfile), another password or none",
    }[settings.security_protocol]
    return f"the broker hung up; unless it is being stopped, it may want {wanted}"
