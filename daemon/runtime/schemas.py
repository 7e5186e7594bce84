"""Loads what reads Avro: the section ``kafka.schema_registry`` of the settings, with the files that it names."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from daemon.config.loader import read_secret
from daemon.config.settings import Settings

if TYPE_CHECKING:
    from daemon.intake.avro import AvroSchemas
    from daemon.kafka.schema_registry import SchemaRegistry

NO_FASTAVRO = "reading Avro needs the package fastavro: pip install 'retuned[avro]'"


def fastavro_is_missing() -> bool:
    """Return whether the extra ``avro`` is not installed."""
    return find_spec("fastavro") is None


def load_schemas(settings: Settings) -> "AvroSchemas | None":
    """Return what reads Avro; None if the settings name no registry. Raises SettingsError if a file can't be used."""
    registry = load_registry(settings)
    if registry is None:
        return None
    from daemon.intake.avro import AvroSchemas

    return AvroSchemas(registry)


def load_registry(settings: Settings) -> "SchemaRegistry | None":
    """Return the registry that the settings name, if any. Raises SettingsError if a file can't be used."""
    section = settings.kafka.schema_registry
    if section.url is None:
        return None
    from daemon.kafka.schema_registry import SchemaRegistry  # brings the HTTP client, which few need

    read_secret(section.password, section.password_file)
    return SchemaRegistry(
        url=section.url,
        username=section.username,
        password=lambda: read_secret(section.password, section.password_file) or "",
        cafile=str(section.cafile) if section.cafile else None,
    )
