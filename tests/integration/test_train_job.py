"""A job's pod gives what the daemon's own trainer gives, whatever becomes of it on the way."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from daemon.jobs.checkpoint_upload import CheckpointUpload
from daemon.jobs.exit_codes import PodExit
from daemon.jobs.files import JobFiles
from daemon.jobs.job_run import JobRun
from daemon.jobs.request import StoredParent
from learners.codec import event_from_json
from learners.errors import BadRequest, Cancelled, OtherBase
from learners.training.methods import METHODS
from learners.types import Failure, Progress, RunResult, TrainRequest
from registry.artifacts import FsspecArtifactStore
from tests.factories.jobs import PodProcess, ended, published
from tests.factories.learners import a_request, quick_settings
from tests.factories.registry import v
from tests.servers.s3_server import BUCKET, running_s3, s3fs_on
from tests.support.tiny_model import make_tiny_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'store'}"


@pytest.fixture
def files(url: str, tmp_path: Path) -> JobFiles:
    return JobFiles(url, cache=tmp_path / "cache")


def trained(request: TrainRequest, folder: Path) -> RunResult:
    """What the trainer child of the daemon makes of it."""
    return METHODS[request.method](replace(request, output=folder), lambda _: None, lambda: False)


def a_run(files: JobFiles, digest: str, folder: Path, stop: Flag | None = None) -> JobRun:
    return JobRun(files, digest, folder=folder, base=None, first=True, stop=stop or Flag())


def test_a_pod_makes_the_artifact_that_the_daemon_would_make(
    files: JobFiles, url: str, base: Path, tmp_path: Path
) -> None:
    request = a_request(tmp_path / "run", base)
    digest = published(files, request)

    first = PodProcess(url=url, digest=digest, work=tmp_path / "pod").run()
    second = PodProcess(url=url, digest=digest, work=tmp_path / "pod 2").run()

    assert first.code == second.code == PodExit.FINISHED, first.log
    *progress, result = first.events
    assert isinstance(result, RunResult)
    assert {type(event) for event in progress} == {Progress}
    assert second.events == [result]
    assert files.end_of(digest) == result
    assert files.fetch_artifact(result, request.output).digest == trained(request, tmp_path / "own").digest
    assert not (tmp_path / "pod" / digest / "0").exists(), "the pod keeps no conversation"


def test_a_pod_goes_on_from_a_stored_adapter(files: JobFiles, url: str, base: Path, tmp_path: Path) -> None:
    parent = trained(a_request(tmp_path / "parent", base), tmp_path / "parent" / "out")
    stored = FsspecArtifactStore(url, cache=tmp_path / "cache").put(parent.artifact, v(3))
    request = a_request(tmp_path / "run", base, parent=parent.artifact)
    digest = published(files, request, StoredParent(artifact=stored.url, digest=stored.digest))

    result = a_run(files, digest, tmp_path / "pod").run(lambda _: None)

    assert result.digest == trained(request, tmp_path / "own").digest


class KilledAt:
    """Kills the pod's process when a training has come to its middle."""

    def __init__(self, process: subprocess.Popen[str], kill: int) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            event = event_from_json(line)
            if isinstance(event, Progress) and event.step:
                process.send_signal(kill)
                break
        self.end = ended(process)


LONG = quick_settings(epochs=30.0, checkpoint_every_s=0.2, dropout=0.1)


@pytest.fixture(scope="module")
def unbroken(base: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of an undisturbed run."""
    folder = tmp_path_factory.mktemp("unbroken")
    return trained(a_request(folder, base, settings=LONG), folder / "out").digest


@pytest.mark.parametrize(
    ("kill", "code", "moved"),
    [
        (signal.SIGKILL, -signal.SIGKILL, False),
        (signal.SIGKILL, -signal.SIGKILL, True),  # nothing was stored: it begins anew
        (signal.SIGTERM, PodExit.CANCELLED, True),
    ],
)
def test_after_a_pod_was_killed_the_next_one_gives_the_same_bytes(
    files: JobFiles, url: str, base: Path, unbroken: str, tmp_path: Path, kill: int, code: int, moved: bool
) -> None:
    request = a_request(tmp_path / "run", base, settings=LONG)
    digest = published(files, request)
    pod = PodProcess(url=url, digest=digest, work=tmp_path / "pod")

    killed = KilledAt(pod.start(), kill).end
    seen: list[Progress] = []
    place = (tmp_path / "pod 2" if moved else tmp_path / "pod") / digest / "0"
    result = a_run(files, digest, place).run(seen.append)

    assert killed.code == code, killed.log
    if kill == signal.SIGTERM:
        assert isinstance(killed.events[-1], Failure)
        assert killed.events[-1].error == "Cancelled"
    assert result.digest == unbroken
    goes_on = not moved or kill == signal.SIGTERM
    assert (next(one.step for one in seen if one.phase == "training") > 0) == goes_on


def test_a_checkpoint_is_stored_while_the_run_goes_on(files: JobFiles, base: Path, tmp_path: Path) -> None:
    digest = published(files, a_request(tmp_path / "run", base))
    file = tmp_path / "checkpoint"
    upload = CheckpointUpload(files, digest, file, every_s=0.01)

    with upload:
        for content in (b"first", b"second"):
            file.write_bytes(content)
            while not (
                files.fetch_checkpoint(digest, tmp_path / "f") and (tmp_path / "f").read_bytes() == content
            ):
                pass
        file.unlink()  # the run is finished


class Outage(JobFiles):
    """A store that does not take the artifact at first."""

    failures = 2

    def finish(self, digest: str, result: RunResult) -> RunResult:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no route to host")
        return super().finish(digest, result)


def test_a_finished_run_is_stored_once_the_store_answers(url: str, base: Path, tmp_path: Path) -> None:
    files = Outage(url, cache=tmp_path / "cache")
    digest = published(files, a_request(tmp_path / "run", base))

    result = a_run(files, digest, tmp_path / "pod").run(lambda _: None)

    assert files.end_of(digest) == result


def test_a_finished_run_that_was_not_stored_is_not_trained_again(
    url: str, base: Path, tmp_path: Path
) -> None:
    files = Outage(url, cache=tmp_path / "cache")
    files.failures = 9
    digest = published(files, a_request(tmp_path / "run", base))
    stop, progress = Flag(), list[Progress]()

    def report(event: Progress) -> None:
        if event.phase == "writing":
            stop.set()

    with pytest.raises(Cancelled, match="before its artifact was stored"):
        a_run(files, digest, tmp_path / "pod", stop).run(report)
    assert not (tmp_path / "pod" / "data.jsonl").exists()
    files.failures = 0

    assert a_run(files, digest, tmp_path / "pod").run(progress.append) == files.end_of(digest)
    assert progress == []


def test_another_base_is_refused_by_name(files: JobFiles, base: Path, tmp_path: Path) -> None:
    digest = published(files, a_request(tmp_path / "run", base))
    other = make_tiny_model(tmp_path / "other", seed=1)
    run = JobRun(files, digest, folder=tmp_path / "pod", base=other, first=True, stop=Flag())

    with pytest.raises(OtherBase, match="another model"):
        run.run(lambda _: None)


@pytest.mark.parametrize("name", ["request.json", "data.jsonl"])
def test_altered_files_end_the_job_by_name(
    files: JobFiles, url: str, base: Path, tmp_path: Path, name: str
) -> None:
    digest = published(files, a_request(tmp_path / "run", base))
    file = tmp_path / "store" / "jobs" / digest / name
    file.write_bytes(file.read_bytes().replace(b"e", b"3", 1))

    pod = PodProcess(url=url, digest=digest, work=tmp_path / "pod").run()

    assert pod.code == PodExit.PERMANENT
    (event,) = pod.events
    assert isinstance(event, Failure)
    assert (event.error, event.permanent) == ("AlteredJob", True)
    assert files.end_of(digest) == event


def test_a_job_that_was_deleted_is_refused_and_leaves_nothing(url: str, tmp_path: Path) -> None:
    pod = PodProcess(url=url, digest="0" * 64, work=tmp_path / "pod").run()

    assert pod.code == PodExit.PERMANENT
    assert [getattr(event, "error", None) for event in pod.events] == ["NoSuchJob"]
    assert not (tmp_path / "store").exists()


#: Tells what was opened, and which modules were loaded.
_WATCHED = """
import atexit, json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
atexit.register(lambda: open({report!r}, "w").write(json.dumps([opened, sorted(sys.modules)])))
sys.argv = ["retuned", *{arguments!r}]
from daemon.cli.app import main
main()
"""


def test_a_pod_reads_no_settings_no_ledger_and_no_secret(
    files: JobFiles, url: str, base: Path, tmp_path: Path
) -> None:
    digest = published(files, a_request(tmp_path / "run", base, settings=quick_settings(epochs=1.0)))
    home = tmp_path / "home"
    (home / "state").mkdir(parents=True)
    for name in ("retuned.yaml", "state/ledger.db", "state/holdout.key", "kafka-password"):
        (home / name).write_text("secret")
    arguments = ["train-job", "--artifacts", url, "--job", digest, "--work", str(tmp_path / "pod")]
    code = _WATCHED.format(report=str(tmp_path / "report"), arguments=arguments)

    subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env={
            **os.environ,
            "RETUNED_CONFIG": str(home / "retuned.yaml"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        check=True,
        capture_output=True,
    )

    opened, modules = json.loads((tmp_path / "report").read_text())
    assert [path for path in opened if path.startswith(str(home))] == []
    assert any(path.endswith("data.jsonl") for path in opened)
    loaded = {
        "kafka",
        "sqlalchemy",
        "evidently",
        "prometheus_client",
        "daemon.config.loader",
        "daemon.ledger",
    }
    assert loaded & set(modules) == set()


def test_a_pod_works_on_s3(base: Path, tmp_path: Path) -> None:
    with running_s3() as environment, s3fs_on(environment):
        url = f"s3://{BUCKET}/artifacts"
        files = JobFiles(url, cache=tmp_path / "cache")
        request = a_request(tmp_path / "run", base)
        digest = published(files, request)

        pod = PodProcess(url=url, digest=digest, work=tmp_path / "pod").run()

        assert pod.code == PodExit.FINISHED, pod.log
        result = files.end_of(digest)
        assert isinstance(result, RunResult)
        fetched = files.fetch_artifact(result, request.output)
        files.delete(digest)
        assert list(files.stored()) == []
    assert fetched.digest == trained(request, tmp_path / "own").digest


def test_torchruns_variables_that_cant_be_used_are_refused(
    files: JobFiles, url: str, base: Path, tmp_path: Path
) -> None:
    digest = published(files, a_request(tmp_path / "run", base))

    pod = PodProcess(
        url=url, digest=digest, work=tmp_path / "pod", environment={"PET_NPROC_PER_NODE": "some"}
    ).run()

    assert pod.code == PodExit.PERMANENT
    assert [getattr(event, "error", None) for event in pod.events] == [BadRequest.__name__]
