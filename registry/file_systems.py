"""Opens the file systems that URLs name.

fsspec is loaded here, where a file system is opened: commands that read no artifact open none, and start sooner.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_FILE = "file://"


class OpenedFolder(NamedTuple):
    """A folder on a file system."""

    fs: "AbstractFileSystem"
    path: str
    local: bool  # whether it is on this machine's disk


def local_path(url: str) -> Path | None:
    """Return the folder of a file URL; None for any other URL.

    The path is taken as it stands, but for ~: fsspec would take :: in it for a chain of URLs.
    """
    if not url.startswith(_FILE):
        return None
    path = Path(url.removeprefix(_FILE))
    return (path.expanduser() if path.parts[:1] == ("~",) else path).absolute()


def open_folder(url: str) -> OpenedFolder:
    """Open a URL. Other processes write to the same folders, so listings are not cached."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    path = local_path(url)
    if path is not None:
        return OpenedFolder(LocalFileSystem(use_listings_cache=False), str(path), local=True)
    fs, place = url_to_fs(url, use_listings_cache=False)
    return OpenedFolder(fs, place, local=isinstance(fs, LocalFileSystem))
