"""Opens the file systems that URLs name.

fsspec is loaded here, where a file system is opened: commands that read no artifact open none, and start sooner.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from atomicwrites import replace_atomic

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
    with client_errors_as_os_errors():
        fs, place = url_to_fs(url, use_listings_cache=False)
    if isinstance(fs, LocalFileSystem):
        return OpenedFolder(fs, place, local=True)
    return OpenedFolder(cast("AbstractFileSystem", _RemoteFileSystem(fs)), place, local=False)


class _RemoteFileSystem:
    """A file system whose methods raise OSError where it can't be reached, whatever its client raises."""

    def __init__(self, fs: "AbstractFileSystem") -> None:
        self._fs = fs

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._fs, name)
        return _guarded(found) if callable(found) else found


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def guarded(*args: Any, **options: Any) -> Any:
        with client_errors_as_os_errors():
            return method(*args, **options)

    return guarded


#: Top-level packages of the clients that fsspec's file systems use.
_CLIENTS = frozenset({"aiobotocore", "aiohttp", "azure", "botocore", "google", "requests"})


@contextmanager
def client_errors_as_os_errors() -> Iterator[None]:
    """Raise PermissionError in place of a client's error about credentials, and ConnectionError in place of any other."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        kind = type(error)
        if kind.__module__.partition(".")[0] not in _CLIENTS:
            raise
        text = " ".join(str(error).split())
        if "Credential" in kind.__name__ or "Token" in kind.__name__:
            raise PermissionError(errno.EACCES, f"the artifact store can't be used: {text}") from error
        raise ConnectionError(f"the artifact store does not answer: {text}") from error


def write_whole(folder: OpenedFolder, name: str, content: bytes) -> None:
    """Write a small file into a folder, which is made if need be; at every instant it has its old content or the new one."""
    fs, path, local = folder
    fs.makedirs(path, exist_ok=True)
    if not local:
        fs.pipe_file(f"{path}/{name}", content)
        return
    temporary = f"{path}/.{name}.{uuid.uuid4().hex}"
    fs.pipe_file(temporary, content)
    replace_atomic(temporary, f"{path}/{name}")


def copy_whole(folder: OpenedFolder, name: str, source: Path) -> None:
    """Copy a local file into a folder, which is made if need be; at every instant it is there as a whole, or not at all."""
    fs, path, local = folder
    fs.makedirs(path, exist_ok=True)
    if not local:
        fs.put_file(str(source), f"{path}/{name}")
        return
    temporary = f"{path}/.{name}.{uuid.uuid4().hex}"
    shutil.copyfile(source, temporary)
    with open(temporary, "rb") as copied:  # noqa: PTH123 (a path of the file system)
        os.fsync(copied.fileno())
    replace_atomic(temporary, f"{path}/{name}")
