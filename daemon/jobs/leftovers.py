"""Finds the jobs of runs whose files must go."""

from collections.abc import Collection

from daemon.jobs.files import JobFiles


def erase_data(files: JobFiles, model_line: str, runs: Collection[str]) -> tuple[str, ...]:
    """Delete the training files of the jobs of runs; return the digests of these jobs. Raises OSError."""
    found = [
        job.digest
        for job in files.stored()
        if job.run is None or (job.model_line == model_line and job.run in runs)
    ]
    return tuple(digest for digest in found if files.delete_data(digest))


def delete_ended(files: JobFiles, model_line: str, *, running: Collection[str]) -> int:
    """Delete the jobs of a model line's runs that have ended; return how many. Raises OSError.

    What a pod wrote into a job that was deleted goes, too: it belongs to no run.
    """
    ended = [
        job.digest
        for job in files.stored()
        if job.run is None or (job.model_line == model_line and job.run not in running)
    ]
    for digest in ended:
        files.delete(digest)
    return len(ended)
