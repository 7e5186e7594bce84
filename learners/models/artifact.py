"""Writes and verifies artifact folders: complete or absent, every byte covered by the manifest."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from atomicwrites import replace_atomic

from learners.errors import BadAdapter, BadRequest
from learners.models.base import sha256_of

MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 1 << 20  # bytes


def write_artifact(output: Path, files: Mapping[str, bytes]) -> str:
    """Write the files and their manifest; return the artifact's digest, the SHA-256 of the manifest.

    Everything is on disk before the folder gets its name. Raises BadRequest if ``output`` exists.
    """
    listing = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in files.items()
    }
    manifest = json.dumps({"format": 1, "files": listing}, sort_keys=True, indent=1).encode() + b"\n"
    scratch = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed here
    scratch.mkdir(parents=True)
    for name, content in {**files, MANIFEST: manifest}.items():
        with (scratch / name).open("wb") as stream:
            stream.write(content)
            stream.flush()
            sys.audit("retuned.step", "run.artifact.sync", "before")
            os.fsync(stream.fileno())
            sys.audit("retuned.step", "run.artifact.sync", "after")
    _sync_folder(scratch)
    if output.exists():
        raise BadRequest(f"{output} exists; an artifact is never overwritten")
    sys.audit("retuned.step", "run.artifact", "before")
    replace_atomic(scratch, output)
    sys.audit("retuned.step", "run.artifact", "after")
    return hashlib.sha256(manifest).hexdigest()


def verify_artifact(folder: Path) -> str:
    """Return the folder's digest after checking every file against the manifest.

    Raises BadAdapter that names the first file that differs, is missing or is not listed.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file() or manifest.stat().st_size > _LARGEST_MANIFEST:
        raise BadAdapter(f"{folder} has no usable {MANIFEST}: it isn't an artifact of a finished run")
    content = manifest.read_bytes()
    try:
        files = {
            name: (entry["sha256"], entry["size"]) for name, entry in json.loads(content)["files"].items()
        }
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise BadAdapter(f"{manifest} can't be read: {error!r}") from error
    present = {entry.name for entry in folder.iterdir()} - {MANIFEST}
    if present != set(files):
        raise BadAdapter(f"{folder} and its manifest differ in {', '.join(sorted(present ^ set(files)))}")
    for name, (sha256, size) in files.items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size or sha256_of(file) != sha256:
            raise BadAdapter(f"{file} is not what its manifest says: damaged or tampered with")
    return hashlib.sha256(content).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
