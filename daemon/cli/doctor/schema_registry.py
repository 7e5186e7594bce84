"""Checks the schema registry, where the settings name one."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.kafka.schema_registry import SchemaUnavailable, UnknownSchema
from daemon.runtime.schemas import load_registry

_ANY_ID = 1


def check_schema_registry(settings: Settings) -> Iterator[Check]:
    """Check that the registry answers, whether it has the schema asked for or not."""
    registry = load_registry(settings)
    if registry is None:
        return
    try:
        registry.by_id(_ANY_ID)
    except UnknownSchema:
        pass
    except SchemaUnavailable as error:
        found, _, remedy = str(error).rpartition(";")
        yield failed("schema registry", found or remedy, remedy.strip() or "correct kafka.schema_registry")
        return
    yield passed("schema registry", f"{registry.url} answers")
