"""Marks that a ledger leaves in the state folder and in the artifact store, by which another or older ledger is noticed."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from atomicwrites import replace_atomic
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Engine

from daemon.domain.private_files import make_private_folder
from daemon.ledger.bound_facts import LEDGER_ID, bound_facts
from registry.artifacts import ArtifactStore
from registry.history import entry_digest
from registry.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Which ledger was here, and how far its promotion log had come."""

    ledger: str
    position: int  # of the newest entry; 0 for an empty log
    entry: str  # its digest; "" for an empty log


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMark:
    """A mark, and where it lies."""

    place: str
    mark: Mark


_CODEC = TypeAdapter(Mark)


class LedgerMarks:
    """Reads and writes the two marks of one model line's ledger."""

    def __init__(
        self, engine: Engine, versions: Store, artifacts: ArtifactStore, *, model_line: str, state_dir: Path
    ) -> None:
        self._engine = engine
        self._versions = versions
        self._artifacts = artifacts
        self._model_line = model_line
        self._state_dir = state_dir
        self._name = _note_of(model_line)

    def of_state_folder(self) -> FoundMark | None:
        """Return the mark in the state folder; None if there is none that can be read. Raises OSError."""
        path = self._state_dir.absolute() / self._name
        try:
            return _found(str(path), path.read_bytes())
        except FileNotFoundError:
            return None

    def of_artifact_store(self) -> FoundMark | None:
        """Return the mark in the artifact store; None if there is none that can be read. Raises OSError."""
        content = self._artifacts.read_note(self._name)
        return None if content is None else _found(f"{self._name} in the artifact store", content)

    def disagreement(self, found: FoundMark) -> str | None:
        """Return how this ledger differs from the one that left a mark, naming both; None if it is the same or newer."""
        mark, ledger = found.mark, self._ledger_id()
        shown = self._engine.url.render_as_string(hide_password=True)
        if mark.ledger != ledger:
            return f"{found.place} was left by ledger {mark.ledger[:12]}, but {shown} is ledger {(ledger or '?')[:12]}"
        entry = next(iter(self._versions.promotions_at(self._model_line, [mark.position])), None)
        if mark.position == 0 or (entry is not None and entry_digest(entry) == mark.entry):
            return None
        newest = self._versions.newest_promotion(self._model_line)
        ends = f"ends at entry {newest.position}" if newest else "is empty"
        has = ends if entry is None else f"has entry {mark.position} with digest {entry_digest(entry)[:12]}"
        return (
            f"{found.place} names entry {mark.position} of the promotion log with digest {mark.entry[:12]}, but the log "
            f"in {shown} {has}: it is an older copy of the ledger"
        )

    def advance(self) -> None:
        """Have the marks name the end of the log; a mark that disagrees with this ledger stays. Raises OSError."""
        self._write(over_others=False)

    def accept(self) -> None:
        """Have the marks name this ledger, whichever left them before. Raises OSError."""
        self._write(over_others=True)

    def _write(self, *, over_others: bool) -> None:
        mark = self._mark()
        if mark is None:
            return
        content = _CODEC.dump_json(mark) + b"\n"
        for find, write in (
            (self.of_state_folder, self._write_to_state_folder),
            (self.of_artifact_store, self._write_to_artifact_store),
        ):
            found = find()
            if found is not None and (
                found.mark == mark or (not over_others and self.disagreement(found) is not None)
            ):
                continue
            write(content)

    def _mark(self) -> Mark | None:
        ledger, entry = self._ledger_id(), self._versions.newest_promotion(self._model_line)
        if ledger is None:
            return None
        position, digest = (entry.position, entry_digest(entry)) if entry else (0, "")
        return Mark(ledger=ledger, position=position, entry=digest)

    def _ledger_id(self) -> str | None:
        return bound_facts(self._engine).get(LEDGER_ID)

    def _write_to_state_folder(self, content: bytes) -> None:
        make_private_folder(self._state_dir)
        temporary = self._state_dir / f".{self._name}.{uuid.uuid4().hex}"
        try:
            temporary.write_bytes(content)
            replace_atomic(temporary, self._state_dir / self._name)
        finally:
            temporary.unlink(missing_ok=True)

    def _write_to_artifact_store(self, content: bytes) -> None:
        self._artifacts.write_note(self._name, content)


def withdraw_marks(artifacts: ArtifactStore, *, model_line: str, state_dir: Path) -> None:
    """Have the marks name no ledger, before another or an older one is put in its place. Raises OSError."""
    (state_dir / _note_of(model_line)).unlink(missing_ok=True)
    if artifacts.read_note(_note_of(model_line)) is not None:
        artifacts.write_note(_note_of(model_line), b"{}\n")


def _note_of(model_line: str) -> str:
    return f"{model_line}.ledger.json"


def _found(place: str, content: bytes) -> FoundMark | None:
    try:
        return FoundMark(place=place, mark=_CODEC.validate_json(content))
    except ValidationError:
        return None
