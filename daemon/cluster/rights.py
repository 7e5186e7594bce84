"""What the daemon does in the cluster, and so must be allowed to do."""

from dataclasses import dataclass

from daemon.config.sections.kubernetes import KubernetesSection


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """Something that the daemon does in the namespace of the Jobs."""

    verb: str
    resource: str  # such as pods/log
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


def needed_rights(section: KubernetesSection) -> list[Right]:
    """Return the rights that trainings with these settings need."""
    if section.kind == "trainjob":
        group, kind = "trainer.kubeflow.org", "trainjobs"
    else:
        group, kind = "batch", "jobs"
    rights = [Right(verb=verb, resource=kind, group=group) for verb in ("create", "get", "list", "delete")]
    rights += [Right(verb=verb, resource="pods") for verb in ("list", "watch")]
    rights += [Right(verb="get", resource="pods/log"), Right(verb="list", resource="events")]
    if section.nodes > 1 and section.kind == "job":
        rights.append(Right(verb="create", resource="services"))
    return rights
