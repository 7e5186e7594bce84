"""Jobs of ended runs go, those of others stay."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.jobs.files import JobFiles
from daemon.jobs.leftovers import delete_ended, erase_data
from daemon.jobs.request import portable
from learners.types import TrainRequest


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    return JobFiles((tmp_path / "store").as_uri(), cache=tmp_path / "cache")


def published(files: JobFiles, folder: Path, run: str, model_line: str = "support-bot") -> str:
    (folder / "data.jsonl").write_text("hello\n")
    request = TrainRequest(
        run="r1", base=folder, base_digest="b", parent=None, data=folder / "data.jsonl", data_digest="d",
        output=folder / "artifact",
    )  # fmt: skip
    job = portable(replace(request, run=run), model_line=model_line, base="org/model", parent=None)
    return files.publish(job, request.data)


def left(files: JobFiles) -> set[str]:
    return {job.digest for job in files.stored()}


def test_jobs_of_ended_runs_are_deleted(files: JobFiles, tmp_path: Path) -> None:
    published(files, tmp_path, "r1")
    running = published(files, tmp_path, "r2")
    of_another_line = published(files, tmp_path, "r1", "another-line")

    assert delete_ended(files, "support-bot", running=["r2"]) == 1

    assert left(files) == {running, of_another_line}


def test_what_a_pod_wrote_into_a_deleted_job_goes(files: JobFiles, tmp_path: Path) -> None:
    late = tmp_path / "store" / "jobs" / ("a" * 64) / "artifact"
    late.mkdir(parents=True)
    (late / "adapter").write_text("")

    assert delete_ended(files, "support-bot", running=[]) == 1

    assert left(files) == set()


def test_a_job_whose_first_file_is_being_written_is_left_alone(files: JobFiles, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "jobs" / ("a" * 64)
    folder.mkdir(parents=True)
    (folder / ".run.json.0123").write_text("")

    assert delete_ended(files, "support-bot", running=[]) == 0
    assert folder.exists()


def test_without_jobs_nothing_is_done(files: JobFiles) -> None:
    assert delete_ended(files, "support-bot", running=[]) == 0
    assert erase_data(files, "support-bot", ["r1"]) == ()
