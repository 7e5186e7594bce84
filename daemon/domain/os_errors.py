"""Says what to do about an error of the operating system."""

import errno
from collections.abc import Mapping

_SPACE = "free some space"
_PERMISSIONS = "check the permissions, and the user that this runs as"
_PATH = "check the path"
_FILES = "raise the limit of open files (ulimit -n)"
_NETWORK = "check the address, and that the server runs"

_REMEDIES: Mapping[int, str] = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: "free some space, or raise the quota",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: "the file system is mounted read-only: mount it for writing, or choose another folder",
    errno.ENOENT: _PATH,
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.EISDIR: "name a file: this is a folder",
    errno.EEXIST: "remove it, or choose another name",
    errno.ENOTEMPTY: "empty the folder, or choose another one",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ELOOP: "check the symbolic links in the path",
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: "free some memory",
    errno.EAGAIN: "try again; if it stays so, raise the limit of processes (ulimit -u)",
    errno.EBUSY: "try again once no other program uses it",
    errno.ETXTBSY: "try again once no other program uses it",
    errno.EIO: "check the disk: it fails to read or write",
    errno.ESTALE: "mount the network file system again",
    errno.EADDRINUSE: "choose another port, or stop the program that holds this one",
    errno.EADDRNOTAVAIL: "choose an address of this machine",
    errno.ECONNREFUSED: _NETWORK,
    errno.ECONNRESET: _NETWORK,
    errno.EHOSTUNREACH: _NETWORK,
    errno.ENETUNREACH: _NETWORK,
    errno.ETIMEDOUT: _NETWORK,
}
_ANY = "run `retuned doctor` to find the cause"


def os_remedy(error: OSError) -> str:
    """Return what an operator can do about the error, as an instruction."""
    if isinstance(error, ConnectionError | TimeoutError) and error.errno is None:
        return _NETWORK
    return _REMEDIES.get(error.errno or 0, _ANY)


def os_failure(error: OSError) -> str:
    """Return the error with its file, and what to do about it, in one line."""
    what = error.strerror or str(error) or type(error).__name__
    names = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    return f"{f'{names}: ' if names else ''}{what}; {os_remedy(error)}"
