"""Errors of jobs."""

from daemon.domain.errors import DaemonError


class JobError(DaemonError):
    """Root of all errors of jobs. The same job fails again."""


class NoSuchJob(JobError):
    """The artifact store has no such job: it was deleted, was never published, or this is another store."""


class NoJobData(JobError):
    """The job's data was deleted, as it is when a user is forgotten. Plan the training again."""


class AlteredJob(JobError):
    """A file of the job is not what its digest says: damaged or tampered with. Publish the job again."""
