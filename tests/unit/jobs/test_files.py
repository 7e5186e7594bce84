"""What daemon and pod hand each other through the artifact store arrives whole, once, or is refused by name."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import fsspec
import pytest

from daemon.jobs.errors import AlteredJob, NoJobData, NoSuchJob
from daemon.jobs.files import JobFiles
from daemon.jobs.request import JobRequest, StoredParent, digest_of, from_json, portable, to_json
from learners.types import Failure, LoraSettings, RunResult, TrainRequest
from registry.artifacts import FsspecArtifactStore
from registry.manifest import AlteredFile
from tests.factories.registry import an_artifact, v
from tests.servers.s3_server import BUCKET, running_s3, s3fs_on

LINES = b'{"id": "c1", "messages": []}\n'


def a_train_request(folder: Path, **changes: object) -> TrainRequest:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.jsonl").write_bytes(LINES)
    request = TrainRequest(
        run="r7",
        base=folder / "base",
        base_digest="b" * 64,
        parent=None,
        data=folder / "data.jsonl",
        data_digest=hashlib.sha256(LINES).hexdigest(),
        output=folder / "artifact",
    )
    return replace(request, **changes)  # type: ignore[arg-type]


def a_job(request: TrainRequest, parent: StoredParent | None = None) -> JobRequest:
    return portable(request, model_line="support-bot", base="org/model", parent=parent)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A store's files of jobs, and a way past them to what is stored."""

    files: JobFiles
    url: str
    tmp: Path

    @property
    def fs(self) -> fsspec.AbstractFileSystem:
        return fsspec.core.url_to_fs(self.url, use_listings_cache=False)[0]

    def path(self, digest: str, name: str) -> str:
        return f"{fsspec.core.url_to_fs(self.url)[1]}/jobs/{digest}/{name}"

    def names(self, digest: str) -> set[str]:
        root = self.path(digest, "")
        return {path.removeprefix(root) for path in self.fs.find(root)} if self.fs.exists(root) else set()

    def publish(self) -> tuple[str, JobRequest]:
        request = a_train_request(self.tmp / "run")
        job = a_job(request)
        return self.files.publish(job, request.data), job


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket's URL; s3fs finds the server in the environment."""
    with running_s3() as environment, s3fs_on(environment):
        yield f"s3://{BUCKET}"


@pytest.fixture(params=["file", "memory", "s3"])
def place(request: pytest.FixtureRequest, s3: str, tmp_path: Path) -> Place:
    if request.param == "file":
        url = f"file://{tmp_path / '模型 store'}"
    elif request.param == "memory":
        url = f"memory://{uuid.uuid4().hex}/artifacts"
    else:
        url = f"{s3}/{uuid.uuid4().hex}"
    return Place(files=JobFiles(url, cache=tmp_path / "cache"), url=url, tmp=tmp_path)


def a_result(artifact: Path, digest: str) -> RunResult:
    return RunResult(
        run="r7", artifact=artifact, digest=digest, steps=1, tokens=2, target_tokens=1, conversations=1,
        first_loss=2.0, last_loss=1.0, seconds=3.0, packages={"torch": "2"}, skipped_lines={"no target": (3,)},
    )  # fmt: skip


def test_a_job_arrives_as_it_was_published(place: Place) -> None:
    digest, job = place.publish()

    assert place.files.request(digest) == job
    place.files.fetch_data(digest, job, place.tmp / "fetched")
    assert (place.tmp / "fetched").read_bytes() == LINES
    assert place.names(digest) == {"run.json", "data.jsonl", "request.json"}


def test_a_job_names_no_path_of_the_machine_that_published_it(place: Place) -> None:
    digest, job = place.publish()

    assert str(place.tmp).encode() not in place.fs.cat_file(place.path(digest, "request.json"))
    there = job.at(Path("/work"), base=Path("/models/base"), parent=None)
    assert (there.base, there.data, there.output) == (
        Path("/models/base"), Path("/work/data.jsonl"), Path("/work/artifact"),
    )  # fmt: skip


def test_publishing_again_changes_nothing_and_gives_the_same_name(place: Place) -> None:
    digest, _ = place.publish()
    elsewhere = a_train_request(place.tmp / "another replica")

    assert place.files.publish(a_job(elsewhere), elsewhere.data) == digest
    assert [stored.digest for stored in place.files.stored()] == [digest]


def test_a_publication_that_was_cut_short_is_no_job_and_is_completed_by_the_next(place: Place) -> None:
    digest, job = place.publish()
    place.fs.rm_file(place.path(digest, "request.json"))

    with pytest.raises(NoSuchJob, match="it was deleted, or this is not the artifact store of the daemon"):
        place.files.request(digest)
    assert [stored.run for stored in place.files.stored()] == ["r7"], "its data must be found and erased"
    assert place.publish() == (digest, job)
    assert place.files.request(digest) == job


@pytest.mark.parametrize("changes", [{"run": "r8"}, {"seed": 1}, {"settings": LoraSettings(rank=4)}])
def test_another_request_is_another_job(tmp_path: Path, changes: dict[str, object]) -> None:
    request = a_train_request(tmp_path)
    other = replace(request, **changes)  # type: ignore[arg-type]

    assert digest_of(to_json(a_job(request))) != digest_of(to_json(a_job(other)))


def test_the_parent_is_fetched_from_its_place_in_the_store(place: Place) -> None:
    folder, _ = an_artifact(place.tmp / "parent")
    stored = FsspecArtifactStore(place.url, cache=place.tmp / "other cache").put(folder, v(3))
    parent = StoredParent(artifact=stored.url, digest=stored.digest)
    request = a_train_request(place.tmp / "run", parent=folder)
    digest = place.files.publish(a_job(request, parent), request.data)

    found = place.files.request(digest).parent

    assert found == parent
    fetched = place.files.fetch_parent(parent)
    assert {file.name: file.read_bytes() for file in fetched.iterdir()} == {
        file.name: file.read_bytes() for file in folder.iterdir()
    }


def test_a_parent_is_stored_or_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same adapter"):
        a_job(a_train_request(tmp_path, parent=tmp_path))


def test_an_altered_request_is_refused(place: Place) -> None:
    digest, _ = place.publish()
    content = place.fs.cat_file(place.path(digest, "request.json"))
    place.fs.pipe_file(place.path(digest, "request.json"), content.replace(b'"seed": 0', b'"seed": 9'))

    with pytest.raises(AlteredJob, match=r"request\.json of job .* damaged or tampered with"):
        place.files.request(digest)


def test_a_request_of_another_release_is_refused_by_its_field(tmp_path: Path) -> None:
    document = json.loads(to_json(a_job(a_train_request(tmp_path))))
    document["request"]["surprise"] = 1
    content = json.dumps(document).encode()

    with pytest.raises(AlteredJob, match=r"surprise.* do daemon and pod run the same release"):
        from_json(content, digest=digest_of(content))


def test_altered_data_is_refused(place: Place) -> None:
    digest, job = place.publish()
    place.fs.pipe_file(place.path(digest, "data.jsonl"), LINES.replace(b"c1", b"c2"))

    with pytest.raises(AlteredJob, match=r"data\.jsonl of job .* damaged or tampered with"):
        place.files.fetch_data(digest, job, place.tmp / "fetched")


def test_deleted_data_is_named_and_deleting_it_again_changes_nothing(place: Place) -> None:
    digest, job = place.publish()

    assert place.files.delete_data(digest)
    assert not place.files.delete_data(digest)

    with pytest.raises(NoJobData, match="a user of it was forgotten"):
        place.files.fetch_data(digest, job, place.tmp / "fetched")


def test_a_copy_of_the_data_that_was_cut_short_is_deleted_with_it(place: Place) -> None:
    digest, _ = place.publish()
    place.fs.pipe_file(place.path(digest, ".data.jsonl.0123"), LINES)

    place.files.delete_data(digest)

    assert place.names(digest) == {"run.json", "request.json"}


def test_a_result_comes_back_with_its_artifact(place: Place) -> None:
    digest, _ = place.publish()
    folder, _ = an_artifact(place.tmp / "pod" / "artifact")
    manifest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert place.files.end_of(digest) is None

    placed = place.files.finish(digest, a_result(folder, manifest))

    assert place.files.end_of(digest) == placed
    output = place.tmp / "run" / "artifact"
    for _ in range(2):  # after a daemon's restart it is there already
        assert place.files.fetch_artifact(placed, output) == replace(placed, artifact=output)
    assert {file.name for file in output.iterdir()} == {file.name for file in folder.iterdir()}
    assert {file.name for file in output.parent.iterdir()} == {"artifact", "data.jsonl"}


def test_an_altered_artifact_is_refused(place: Place) -> None:
    digest, _ = place.publish()
    folder, _ = an_artifact(place.tmp / "pod" / "artifact")
    manifest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    placed = place.files.finish(digest, a_result(folder, manifest))
    place.fs.pipe_file(place.path(digest, f"artifact/{manifest}/adapter_model.safetensors"), b"other weights")

    with pytest.raises(AlteredFile):
        place.files.fetch_artifact(placed, place.tmp / "run" / "artifact")
    assert not (place.tmp / "run" / "artifact").exists()


def test_a_permanent_failure_comes_back(place: Place) -> None:
    digest, _ = place.publish()
    failure = Failure(error="NoTargets", message="nothing to learn", permanent=True)

    place.files.fail(digest, failure)

    assert place.files.end_of(digest) == failure


@pytest.mark.parametrize("content", [b"\xff", b"{}", b'{"event": "party"}'])
def test_a_result_that_is_none_is_refused(place: Place, content: bytes) -> None:
    digest, _ = place.publish()
    place.fs.pipe_file(place.path(digest, "result.json"), content)

    with pytest.raises(AlteredJob, match=r"result\.json of job"):
        place.files.end_of(digest)


def test_the_newest_checkpoint_is_kept_and_comes_back(place: Place) -> None:
    digest, _ = place.publish()
    for content in (b"first", b"second"):
        (place.tmp / "checkpoint").write_bytes(content)
        place.files.put_checkpoint(digest, place.tmp / "checkpoint")

    assert place.files.fetch_checkpoint(digest, place.tmp / "fetched")
    assert (place.tmp / "fetched").read_bytes() == b"second"
    assert len([name for name in place.names(digest) if "checkpoint" in name]) == 1


def test_a_damaged_checkpoint_is_none(place: Place) -> None:
    digest, _ = place.publish()
    (place.tmp / "checkpoint").write_bytes(b"first")
    place.files.put_checkpoint(digest, place.tmp / "checkpoint")
    place.fs.pipe_file(place.path(digest, f"checkpoint/{hashlib.sha256(b'first').hexdigest()}"), b"firsT")

    assert not place.files.fetch_checkpoint(digest, place.tmp / "fetched")
    assert not (place.tmp / "fetched").exists()


def test_a_deleted_job_leaves_nothing_and_takes_no_checkpoint(place: Place) -> None:
    digest, _ = place.publish()
    (place.tmp / "checkpoint").write_bytes(b"late")

    for _ in range(2):
        place.files.delete(digest)
    place.files.put_checkpoint(digest, place.tmp / "checkpoint")

    assert place.names(digest) == set()
    assert list(place.files.stored()) == []


def test_jobs_count_as_part_of_the_store_and_disturb_no_version(place: Place) -> None:
    store = FsspecArtifactStore(place.url, cache=place.tmp / "cache")
    stored = store.put(an_artifact(place.tmp / "v3")[0], v(3))
    digest, _ = place.publish()

    assert store.size_bytes() == stored.size_bytes + sum(
        place.fs.info(place.path(digest, name))["size"] for name in place.names(digest)
    )
    store.verify(stored.url, stored.digest)
    assert store.digests(v(3)) == {stored.digest}


@pytest.mark.parametrize("digest", ["", "..", "../" * 3 + "etc", "A" * 64, "0" * 63])
def test_a_name_that_is_no_digest_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NoSuchJob, match="64 hexadecimal digits"):
        JobFiles(f"file://{tmp_path}", cache=tmp_path).request(digest)


def test_a_store_that_cant_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = JobFiles(f"file://{tmp_path / 'file'}", cache=tmp_path)
    request = a_train_request(tmp_path / "run")

    with pytest.raises(OSError, match=os.strerror(20)):
        files.publish(a_job(request), request.data)
