"""The JSON Schema of records of the conversation topic."""

from importlib.resources import files

import orjson

from daemon.domain.conversation import JSON


def record_schema() -> dict[str, JSON]:
    """Load the schema (draft 2020-12). The decoder takes what it accepts, within the limits that it names, and more."""
    schema: dict[str, JSON] = orjson.loads(
        files("daemon.intake").joinpath("schema/record.schema.json").read_bytes()
    )
    return schema
