"""What ``retuned status`` shows of a training that runs as a Job."""

from dataclasses import asdict

import pytest

from daemon.cli.render.status import progress_lines
from daemon.domain.training_job import JobState, JobStatus
from tests.factories.metrics import a_progress

WAITS = JobStatus(name="retuned-1a", state=JobState.WAITING, waits_for="no node takes pod a; add a node")
RUNS = JobStatus(name="retuned-1a", state=JobState.RUNNING)


@pytest.mark.parametrize(
    ("job", "progress", "verbose", "lines"),
    [
        (WAITS, {}, False, ["Job retuned-1a is waiting", "no node takes pod a; add a node"]),
        (RUNS, {}, False, []),
        (RUNS, asdict(a_progress(seconds_left=None)), False, ["training, step 5 of 20 (25%)"]),
        (
            RUNS,
            asdict(a_progress(seconds_left=None)),
            True,
            ["Job retuned-1a is running", "training, step 5 of 20 (25%)", "loss 2.5", "400 tokens/s"],
        ),
    ],
)
def test_a_job_and_what_it_waits_for_are_shown(
    job: JobStatus, progress: dict[str, object], verbose: bool, lines: list[str]
) -> None:
    assert list(progress_lines({**progress, "job": job.to_json()}, verbose=verbose)) == lines


def test_a_run_in_a_process_starts() -> None:
    assert list(progress_lines(None, verbose=True)) == ["starting"]
