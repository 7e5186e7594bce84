"""What every ArtifactStore promises. A new store, or another file system, is one more entry of STORES."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Lock, Thread

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from s3fs import S3FileSystem  # type: ignore[import-untyped]

from registry.artifacts import ArtifactStore, FsspecArtifactStore, StoredArtifact
from registry.manifest import (
    AlteredFile,
    BadArtifact,
    BadManifest,
    MissingFile,
    NoArtifact,
    UnlistedFile,
    WrongDigest,
)
from tests.e2e.daemon_process import free_port
from tests.factories.registry import an_artifact, v

WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A store, and a way past it to what it keeps."""

    store: ArtifactStore
    url: str

    def path_of(self, stored: StoredArtifact, name: str) -> tuple[fsspec.AbstractFileSystem, str]:
        fs, path = fsspec.core.url_to_fs(f"{self.url}/{stored.url}")
        return fs, f"{path}/{name}"

    def write(self, stored: StoredArtifact, name: str, content: bytes) -> None:
        fs, path = self.path_of(stored, name)
        fs.pipe_file(path, content)

    def remove(self, stored: StoredArtifact, name: str) -> None:
        fs, path = self.path_of(stored, name)
        fs.rm_file(path)


def on_disk(folder: Path) -> str:
    return f"file://{folder / '模型 store'}"


def in_memory(_: Path) -> str:
    return f"memory://{uuid.uuid4().hex}/artifacts"


STORES: dict[str, Callable[[Path], str]] = {"file": on_disk, "memory": in_memory}


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    url = STORES[request.param](tmp_path)
    yield Place(store=FsspecArtifactStore(url, cache=tmp_path / "cache"), url=url)
    fs, root = fsspec.core.url_to_fs(url)
    if fs.exists(root):
        fs.rm(root, recursive=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return an_artifact(tmp_path / "run" / "artifact")[0]


def digest_of(folder: Path) -> str:
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_artifact_comes_back_as_it_was_stored(place: Place, folder: Path) -> None:
    stored = place.store.put(folder, v(3))

    assert stored.digest == digest_of(folder)
    assert contents(place.store.fetch(stored.url, stored.digest)) == contents(folder)
    place.store.verify(stored.url, stored.digest)


def test_its_size_is_that_of_all_its_files(place: Place, folder: Path) -> None:
    stored = place.store.put(folder, v(3))

    assert stored.size_bytes == sum(len(content) for content in contents(folder).values())
    assert place.store.size_bytes() == stored.size_bytes


def test_an_empty_store_has_no_size(place: Place) -> None:
    assert place.store.size_bytes() == 0


def test_an_artifact_outlives_the_folder_it_came_from(place: Place, folder: Path) -> None:
    expected = contents(folder)
    stored = place.store.put(folder, v(3))
    shutil.rmtree(folder)

    assert contents(place.store.fetch(stored.url, stored.digest)) == expected


def test_storing_the_same_again_changes_nothing(place: Place, folder: Path) -> None:
    first = place.store.put(folder, v(3))

    assert place.store.put(folder, v(3)) == first
    assert place.store.size_bytes() == first.size_bytes


def test_another_artifact_under_the_same_name_leaves_the_first_alone(
    place: Place, folder: Path, tmp_path: Path
) -> None:
    """A run that died between storing and registering must not stand in the way of the next."""
    other, _ = an_artifact(tmp_path / "other", {WEIGHTS: b"other weights"})
    first, second = place.store.put(folder, v(3)), place.store.put(other, v(3))

    assert contents(place.store.fetch(first.url, first.digest)) == contents(folder)
    assert contents(place.store.fetch(second.url, second.digest)) == contents(other)


def test_an_artifact_that_was_not_stored_to_its_end_does_not_exist(place: Place, folder: Path) -> None:
    stored = place.store.put(folder, v(3))
    place.remove(stored, "manifest.json")

    with pytest.raises(NoArtifact):
        place.store.fetch(stored.url, stored.digest)
    with pytest.raises(NoArtifact):
        place.store.verify(stored.url, stored.digest)


def test_storing_goes_on_where_it_was_broken_off(place: Place, folder: Path) -> None:
    stored = place.store.put(folder, v(3))
    place.remove(stored, "manifest.json")
    place.write(stored, WEIGHTS, b"half")

    assert place.store.put(folder, v(3)) == stored
    assert contents(place.store.fetch(stored.url, stored.digest)) == contents(folder)


@pytest.mark.parametrize("content", [b"weightx" * 100, b"weights" * 99, b""])
def test_an_altered_file_is_refused(place: Place, folder: Path, content: bytes) -> None:
    stored = place.store.put(folder, v(3))
    place.write(stored, WEIGHTS, content)

    with pytest.raises(AlteredFile, match=WEIGHTS):
        place.store.fetch(stored.url, stored.digest)
    with pytest.raises(AlteredFile, match=WEIGHTS):
        place.store.verify(stored.url, stored.digest)


def test_a_file_that_is_gone_is_named(place: Place, folder: Path) -> None:
    stored = place.store.put(folder, v(3))
    place.remove(stored, WEIGHTS)

    with pytest.raises(MissingFile, match=WEIGHTS):
        place.store.fetch(stored.url, stored.digest)
    with pytest.raises(MissingFile, match=WEIGHTS):
        place.store.verify(stored.url, stored.digest)


def test_a_file_that_came_later_is_refused(place: Place, folder: Path) -> None:
    stored = place.store.put(folder, v(3))
    place.write(stored, "modeling.py", b"import os")

    with pytest.raises(UnlistedFile, match=r"modeling\.py"):
        place.store.verify(stored.url, stored.digest)


def test_another_manifest_than_the_versions_is_refused(place: Place, folder: Path, tmp_path: Path) -> None:
    other, _ = an_artifact(tmp_path / "other", {WEIGHTS: b"other weights"})
    stored = place.store.put(folder, v(3))
    for name, content in contents(other).items():
        place.write(stored, name, content)
    place.remove(stored, "adapter_config.json")

    with pytest.raises(WrongDigest, match=stored.digest[:12]):
        place.store.fetch(stored.url, stored.digest)
    with pytest.raises(WrongDigest):
        place.store.verify(stored.url, stored.digest)


def test_writers_at_once_do_not_disturb_each_other(place: Place, folder: Path, tmp_path: Path) -> None:
    other, _ = an_artifact(tmp_path / "other", {WEIGHTS: b"other weights"})
    start = Barrier(4, timeout=30)
    stored: list[StoredArtifact] = []

    def write(source: Path) -> None:
        start.wait()
        stored.append(FsspecArtifactStore(place.url, cache=tmp_path / "cache").put(source, v(3)))

    threads = [Thread(target=write, args=(source,)) for source in (folder, other, folder, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {each.digest for each in stored} == {digest_of(folder), digest_of(other)}
    for each in stored:
        place.store.verify(each.url, each.digest)


# What is refused before anything is stored.


def spoil(folder: Path, change: Callable[[Path], object]) -> Path:
    change(folder)
    return folder


def with_manifest(document: object) -> Callable[[Path], object]:
    return lambda folder: (folder / "manifest.json").write_text(json.dumps(document))


def listing(name: str, fact: object = None) -> object:
    fact = fact if fact is not None else {"sha256": "0" * 64, "size": 1}
    return {"format": 1, "files": {name: fact}}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), NoArtifact),
        (lambda folder: (folder / WEIGHTS).unlink(), MissingFile),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"x"), AlteredFile),
        (lambda folder: (folder / "extra.bin").write_bytes(b"x"), UnlistedFile),
        (lambda folder: (folder / ".hidden").write_bytes(b"x"), UnlistedFile),
        (lambda folder: (folder / "sub").mkdir(), UnlistedFile),
        (lambda folder: (folder / "link").symlink_to(folder / WEIGHTS), UnlistedFile),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff{"), BadManifest),
        (with_manifest([]), BadManifest),
        (with_manifest({"format": 1, "files": {}}), BadManifest),
        (with_manifest({"format": 2, "files": {"a": {"sha256": "0" * 64, "size": 1}}}), BadManifest),
        (with_manifest({"files": {"a": {"sha256": "0" * 64, "size": 1}}}), BadManifest),
        (with_manifest(listing("../escape")), BadManifest),
        (with_manifest(listing("/etc/passwd")), BadManifest),
        (with_manifest(listing("a\\b")), BadManifest),
        (with_manifest(listing("..")), BadManifest),
        (with_manifest(listing("")), BadManifest),
        (with_manifest(listing("a\n")), BadManifest),
        (with_manifest(listing("a", {"sha256": "0" * 64 + "\n", "size": 1})), BadManifest),
        (with_manifest(listing("a", {"sha256": "0" * 64, "size": True})), BadManifest),
        (with_manifest(listing("a", {"sha256": "0" * 64, "size": "1"})), BadManifest),
        (with_manifest({"format": True, "files": {"a": {"sha256": "0" * 64, "size": 1}}}), BadManifest),
        (with_manifest({"format": 1.0, "files": {"a": {"sha256": "0" * 64, "size": 1}}}), BadManifest),
        (
            with_manifest({"format": 1, "files": {"a": {"sha256": "0" * 64, "size": 1}}, "more": 1}),
            BadManifest,
        ),
        (with_manifest(listing("manifest.json")), BadManifest),
        (with_manifest(listing("a", {"sha256": "xyz", "size": 1})), BadManifest),
        (with_manifest(listing("a", {"sha256": "0" * 64, "size": -1})), BadManifest),
        (with_manifest(listing("a", {"sha256": "0" * 64})), BadManifest),
        (with_manifest(listing("a", {"sha256": "0" * 64, "size": 1, "mode": 7})), BadManifest),
    ],
)
def test_a_folder_that_is_no_whole_artifact_is_not_stored(
    place: Place, folder: Path, change: Callable[[Path], object], error: type[BadArtifact]
) -> None:
    with pytest.raises(error):
        place.store.put(spoil(folder, change), v(3))
    assert place.store.size_bytes() == 0


# Where they differ: a local store hands out its own folder, a remote one a copy.


def test_a_local_artifact_is_not_copied(tmp_path: Path, folder: Path) -> None:
    store = FsspecArtifactStore(on_disk(tmp_path), cache=tmp_path / "cache")
    stored = store.put(folder, v(3))

    assert store.fetch(stored.url, stored.digest).is_relative_to(tmp_path / "模型 store")
    assert not (tmp_path / "cache").exists()


def test_a_plain_path_is_a_store(tmp_path: Path, folder: Path) -> None:
    store = FsspecArtifactStore(str(tmp_path / "100% 店"), cache=tmp_path / "cache")
    stored = store.put(folder, v(3))

    assert store.fetch(stored.url, stored.digest).is_relative_to(tmp_path / "100% 店")


def test_a_remote_artifact_is_copied_once(tmp_path: Path, folder: Path) -> None:
    store = FsspecArtifactStore(in_memory(tmp_path), cache=tmp_path / "cache")
    stored = store.put(folder, v(3))
    copy = store.fetch(stored.url, stored.digest)
    made = copy.stat().st_ino

    assert store.fetch(stored.url, stored.digest) == copy
    assert copy.stat().st_ino == made
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [stored.digest]


@pytest.mark.parametrize(
    "damage",
    [
        lambda copy: (copy / WEIGHTS).write_bytes(b"x"),
        lambda copy: (copy / WEIGHTS).unlink(),
        lambda copy: (copy / "manifest.json").unlink(),
    ],
)
def test_a_damaged_copy_is_made_anew(tmp_path: Path, folder: Path, damage: Callable[[Path], object]) -> None:
    store = FsspecArtifactStore(in_memory(tmp_path), cache=tmp_path / "cache")
    stored = store.put(folder, v(3))
    damage(store.fetch(stored.url, stored.digest))

    assert contents(store.fetch(stored.url, stored.digest)) == contents(folder)


def test_a_damaged_remote_artifact_leaves_no_copy(tmp_path: Path, folder: Path) -> None:
    url = in_memory(tmp_path)
    store = FsspecArtifactStore(url, cache=tmp_path / "cache")
    stored = store.put(folder, v(3))
    Place(store=store, url=url).write(stored, WEIGHTS, b"x")

    with pytest.raises(AlteredFile):
        store.fetch(stored.url, stored.digest)
    assert list((tmp_path / "cache").iterdir()) == []


def moved(folder: Path, tmp_path: Path) -> tuple[StoredArtifact, str, FsspecArtifactStore]:
    """What was stored, the absolute URL that an earlier release gave it, and the store at another place."""
    stored = FsspecArtifactStore(on_disk(tmp_path), cache=tmp_path / "cache").put(folder, v(3))
    elsewhere = tmp_path / "elsewhere"
    shutil.move(tmp_path / "模型 store", elsewhere)
    store = FsspecArtifactStore(f"file://{elsewhere}", cache=tmp_path / "cache")
    return stored, f"{on_disk(tmp_path)}/{stored.url}", store


def test_a_store_can_move(tmp_path: Path, folder: Path) -> None:
    stored, absolute, store = moved(folder, tmp_path)

    assert stored.url == f"support-bot-v3/{stored.digest}"
    for url in (stored.url, absolute):
        assert contents(store.fetch(url, stored.digest)) == contents(folder)
        assert store.fetch(url, stored.digest) == store.local_folder(url, stored.digest)
        assert store.has(url, stored.digest)
        store.verify(url, stored.digest)


def test_an_absolute_url_is_found_where_it_says_if_the_store_is_another(tmp_path: Path, folder: Path) -> None:
    old = FsspecArtifactStore(on_disk(tmp_path), cache=tmp_path / "cache")
    stored = old.put(folder, v(3))
    absolute = f"{on_disk(tmp_path)}/{stored.url}"

    for url in (f"file://{tmp_path / 'empty'}", in_memory(tmp_path)):
        store = FsspecArtifactStore(url, cache=tmp_path / "cache")
        assert store.fetch(absolute, stored.digest) == old.fetch(stored.url, stored.digest)
        assert not store.has(stored.url, stored.digest)


def test_a_moved_artifact_with_another_digest_is_not_taken(tmp_path: Path, folder: Path) -> None:
    _, absolute, store = moved(folder, tmp_path)
    other = "0" * 64

    with pytest.raises(NoArtifact):
        store.fetch(absolute.rpartition("/")[0] + f"/{other}", other)


def test_the_digests_under_a_name_are_those_of_whole_artifacts(
    place: Place, folder: Path, tmp_path: Path
) -> None:
    assert place.store.digests(v(3)) == frozenset()
    one = place.store.put(folder, v(3))
    two = place.store.put(an_artifact(tmp_path / "other", {WEIGHTS: b"other weights"})[0], v(3))
    broken = place.store.put(an_artifact(tmp_path / "third", {WEIGHTS: b"third"})[0], v(3))
    place.remove(broken, "manifest.json")

    assert place.store.digests(v(3)) == {one.digest, two.digest}
    assert place.store.digests(v(4)) == frozenset()


def test_a_note_is_kept_beside_the_artifacts(place: Place) -> None:
    assert place.store.read_note("chat.ledger.json") is None
    place.store.write_note("chat.ledger.json", b"one")
    place.store.write_note("chat.ledger.json", "二".encode())

    assert place.store.read_note("chat.ledger.json") == "二".encode()


@pytest.fixture
def one_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in fsspec's memory has one reading position, which readers at once would share; real stores don't."""
    turn = Lock()

    def in_turn(read: Callable[..., object]) -> Callable[..., object]:
        def reads(*arguments: object, **options: object) -> object:
            with turn:
                return read(*arguments, **options)

        return reads

    for name in ("get_file", "cat_file"):
        monkeypatch.setattr(MemoryFileSystem, name, in_turn(getattr(MemoryFileSystem, name)))


@pytest.mark.usefixtures("one_read_at_a_time")
def test_readers_at_once_share_one_copy(tmp_path: Path, folder: Path) -> None:
    url = in_memory(tmp_path)
    stored = FsspecArtifactStore(url, cache=tmp_path / "cache").put(folder, v(3))
    start, fetched = Barrier(4, timeout=30), []

    def read() -> None:
        start.wait()
        store = FsspecArtifactStore(url, cache=tmp_path / "cache")
        fetched.append(contents(store.fetch(stored.url, stored.digest)))

    threads = [Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert fetched == [contents(folder)] * 4


@pytest.mark.parametrize(
    ("credentials", "error", "said"),
    [(True, ConnectionError, "does not answer"), (False, PermissionError, "can't be used")],
)
def test_a_bucket_that_cant_be_reached_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, credentials: bool, error: type[OSError], said: str
) -> None:
    """The client of S3 has errors of its own, which callers that try again would not know."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test") if credentials else monkeypatch.delenv(name, raising=False)
    S3FileSystem.clear_instance_cache()  # it keeps clients, with what they read of the environment
    store = FsspecArtifactStore(f"s3://bucket/{uuid.uuid4().hex}", cache=tmp_path)

    with pytest.raises(error, match=said):
        store.read_note("marks")
    S3FileSystem.clear_instance_cache()
