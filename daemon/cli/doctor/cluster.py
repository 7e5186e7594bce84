"""Checks the cluster that trains, where the settings name one."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.cluster.errors import ClusterError
from daemon.cluster.launcher import training_manifest
from daemon.cluster.manifest import JobIdentity
from daemon.cluster.rights import needed_rights
from daemon.config.settings import Settings

_SUBJECT = "cluster"
#: Of the Job that is checked, and never made.
_NOBODY = JobIdentity(digest="0" * 64, model_line="doctor", run="r0", ledger="0" * 32)
_RIGHTS = "deploy/docs/training-jobs.md has the Role; the Helm chart makes it"


def check_cluster(settings: Settings) -> Iterator[Check]:
    """Check the Job's template, that the API server answers, allows what trainings need, and would take such a Job."""
    from daemon.cluster.api import open_cluster  # the library is optional

    section = settings.kubernetes
    store = section.artifacts_url or settings.artifacts_url or ""
    try:
        manifest = training_manifest(settings, _NOBODY, artifacts_url=store)
        cluster = open_cluster(
            kubeconfig=section.kubeconfig,
            namespace=section.namespace,
            train_jobs=section.kind == "trainjob",
        )
    except ClusterError as error:
        yield _failed(error)
        return
    try:
        missing = [right for right in needed_rights(section) if not cluster.may(right)]
        if missing:
            names = ", ".join(map(str, missing))
            yield failed(_SUBJECT, f"in namespace {cluster.namespace} the daemon may not {names}", _RIGHTS)
            return
        cluster.check(manifest)
    except ClusterError as error:
        yield _failed(error)
    else:
        yield passed(
            _SUBJECT, f"the API server would take a {manifest['kind']} in namespace {cluster.namespace}"
        )
    finally:
        cluster.close()
    if section.shared_artifacts:
        yield passed(
            _SUBJECT, f"pods must mount {store}, as kubernetes.shared_artifacts says: nobody checks it here"
        )


def _failed(error: ClusterError) -> Check:
    """Return the failure; a message ends with its remedy, after a semicolon."""
    problem, _, remedy = str(error).rpartition("; ")
    return failed(_SUBJECT, problem or remedy, remedy if problem else "see deploy/docs/training-jobs.md")
