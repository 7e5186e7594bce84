"""Checks of the URLs in the settings: can a library open them?"""

import importlib
import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+._-]*)://.*", re.DOTALL)
_LEDGERS = "a ledger is on SQLite (sqlite:////PATH) or PostgreSQL (postgresql://USER@HOST/DATABASE)"
_STORES = "name a URL such as file:///srv/artifacts or s3://BUCKET/FOLDER"
#: The drivers of each database, by the scheme of their URLs, with the module of each. None: it comes with Python.
_DRIVERS: Mapping[str, str | None] = {
    "sqlite": None,
    "sqlite+pysqlite": None,
    "postgresql": "psycopg",
    "postgresql+psycopg": "psycopg",
    "postgresql+psycopg2": "psycopg2",
}
#: What this project's extras install, by module.
_EXTRAS: Mapping[str, str] = {
    "psycopg": "postgres",
    "s3fs": "s3",
    "lightkube": "kubernetes",
    "opentelemetry.exporter.otlp": "tracing",
}
#: Stores that only this machine has.
_LOCAL = ("file", "local", "memory")


def check_ledger_url(url: str) -> str:
    """Return the URL. Raises ValueError with what to correct or install if the ledger can't be opened with it."""
    scheme = _scheme(url)
    if scheme is None:
        raise ValueError(f"is not a URL; {_LEDGERS}")
    if scheme not in _DRIVERS:
        raise ValueError(f"{scheme}:// is not known here; {_LEDGERS}")
    module = _DRIVERS[scheme]
    if module is not None:
        _require(module, f"{scheme}://")
    return url


def check_artifacts_url(url: str) -> str:
    """Return the URL. Raises ValueError with what to correct or install if artifacts can't be stored there."""
    if url.startswith(
        ("file://", "/")
    ):  # a local folder, whose path may contain what chains the URLs of others
        return url
    # Imported here because it takes half a second, and most settings have no such URL.
    from fsspec.registry import available_protocols, known_implementations

    for part in url.split("::"):
        scheme = _scheme(part)
        if scheme is None:
            if part.startswith("/") or (part in available_protocols() and "::" in url):
                continue
            raise ValueError(f"is not a URL; {_STORES}")
        if scheme not in available_protocols():
            raise ValueError(f"{scheme}:// is not known here; {_STORES}")
        implementation = known_implementations.get(scheme)
        if implementation is not None:
            _require(str(implementation["class"]).rpartition(".")[0], f"{scheme}://")
    return url


def is_local(url: str) -> bool:
    """Return whether an artifact store is a folder of this machine, or its memory."""
    return url.startswith("/") or _scheme(url.rpartition("::")[2]) in _LOCAL


def check_library(module: str) -> str | None:
    """Return what to install where a library is missing; None if it is there. The library is not imported."""
    with suppress(ModuleNotFoundError):  # of a package around it
        if find_spec(module) is not None:
            return None
    return f"needs the package {module}: pip install 'retuned[{_EXTRAS[module]}]'"


def _scheme(url: str) -> str | None:
    found = _URL.fullmatch(url)
    return found["scheme"] if found else None


def _require(module: str, what: str) -> None:
    """Import the module that opens such URLs; a library that is there may still be broken."""
    try:
        importlib.import_module(module)
    except Exception as error:
        text = " ".join(str(error).split())
        extra = _EXTRAS.get(module)
        install = f"pip install 'retuned[{extra}]'" if extra else "install the one that this names"
        raise ValueError(f"{what} needs a library: {install} ({text})") from error
