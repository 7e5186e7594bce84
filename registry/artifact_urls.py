"""URLs of artifacts. A store gives relative ones, ``<version>/<digest>``; earlier releases stored absolute ones."""


def is_absolute(url: str) -> bool:
    """Return whether a URL names a place by itself."""
    return "://" in url or url.startswith("/")


def is_local(url: str) -> bool:
    """Return whether an absolute URL names a folder of this machine."""
    return url.startswith(("file://", "local://", "/"))


def path_inside(url: str, digest: str) -> str | None:
    """Return an artifact's path inside its store; None for an absolute URL of another shape."""
    if not is_absolute(url):
        return url
    version, _, last = url.rstrip("/").rpartition("/")
    return f"{version.rpartition('/')[2]}/{last}" if last == digest else None
