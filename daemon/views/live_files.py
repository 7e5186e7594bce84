"""Compares the files of the live version on this machine with its digest."""

from daemon.ledger.stores import Stores
from registry.errors import RegistryError
from registry.manifest import MANIFEST, parse, read_folder
from registry.types import Version

#: Larger artifacts are compared by the sizes of their files alone: a command should answer within a second. The daemon
#: and the doctor read them whole.
_READ_WHOLE = 256 << 20


def live_files_problem(stores: Stores, version: Version) -> str | None:
    """Return how the folder that a server loads differs from what was stored; None if it does not."""
    if version.artifact is None:
        return None
    folder = stores.artifacts.local_folder(version.artifact, version.digest)
    try:
        manifest = parse((folder / MANIFEST).read_bytes(), where=str(folder))
        if manifest.size_bytes <= _READ_WHOLE:
            manifest = read_folder(folder)
        for name, fact in manifest.files.items():
            if (folder / name).stat().st_size != fact.size:
                return f"{folder}/{name} differs from its manifest"
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror or error}"
    except RegistryError as error:
        return str(error).partition(";")[0]
    return None if manifest.digest == version.digest else f"{folder} has another digest than its version"
