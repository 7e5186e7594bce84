"""Checks the PEM files for TLS before anything is connected."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from daemon.domain.os_errors import os_remedy


def no_password() -> str:
    """Give OpenSSL an empty password, so that it does not ask for one on the terminal."""
    return ""


def authority_problem(file: Path) -> str | None:
    """Return why the authorities' certificates in a file can't be used; None if they can."""
    if (problem := _unreadable(file)) is not None:
        return problem
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        return "holds no certificate that can be read; give the authority's, in PEM"
    return None


def pair_problems(certificate: Path, key: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield the problems of a certificate and its key, each with its file. Without ``key`` both are in one file."""
    keyfile = key or certificate
    unreadable = [(file, _unreadable(file)) for file in dict.fromkeys((certificate, keyfile))]
    problems = [(file, problem) for file, problem in unreadable if problem is not None]
    yield from problems
    if not problems:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=no_password)
        except ssl.SSLError as error:
            yield _culprit(certificate, keyfile, error)


def _culprit(certificate: Path, key: Path, error: ssl.SSLError) -> tuple[Path, str]:
    """Find which of the two files is at fault, which OpenSSL does not report."""
    if b"-----BEGIN CERTIFICATE-----" not in certificate.read_bytes():
        return certificate, "holds no certificate; give the client's, in PEM"
    if error.reason == "KEY_VALUES_MISMATCH":
        return key, f"is not the key of the certificate in {certificate}"
    if b"ENCRYPTED" in key.read_bytes():
        remedy = f"take it off: openssl pkey -in {key} -out FILE"
        return key, f"is protected by a password, which the daemon can't ask for; {remedy}"
    if b"PRIVATE KEY-----" not in key.read_bytes():
        return key, "holds no private key; give the client's, in PEM"
    return certificate, f"can't be used with the key in {key}: {error}"


def _unreadable(file: Path) -> str | None:
    try:
        file.read_bytes()
    except OSError as error:
        return f"can't be read: {error.strerror}; {os_remedy(error)}"
    return None
