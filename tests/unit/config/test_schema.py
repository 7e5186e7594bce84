"""The JSON Schema of settings files agrees with what the loader accepts."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from daemon.config.schema import settings_schema
from tests.unit.config.test_lines import TWO

SCHEMA = settings_schema()


def is_valid(document: dict[str, Any]) -> bool:
    valid: bool = jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
    return valid


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "document",
    [
        {"model": {"base": "/m"}, "model_line": "chat"},
        {"model": {"base": "/m"}, "lines": {}},
        {"model": {"base": "/m"}, "lines": None},
        {"model": {"device": "cpu"}, "lines": {"chat": {"model": {"base": "/m"}}}},
        {"lines": {"chat": {"model": {"base": "/m"}}}},
        {"model": {"base": "/m"}, "lines": {"chat": None}},
        yaml.safe_load(TWO),
    ],
)
def test_it_accepts_files_of_one_line_and_of_several(document: dict[str, Any]) -> None:
    assert is_valid(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"lines": {}},
        {"model": {"device": "cpu"}},
        {"model": {"base": "/m"}, "lines": {"Chat": {}}},
        {"model": {"base": "/m"}, "lines": {"chat": {"http": {"port": 1}}}},
        {"model": {"base": "/m"}, "lines": {"chat": {"kafka": {"topics": "a"}}}},
        {"model": {"base": "/m"}, "model_line": "chat", "lines": {"chat": {}}},
        {"model": {"base": "/m"}, "lines": ["chat"]},
    ],
)
def test_it_refuses_what_the_loader_refuses(document: dict[str, Any]) -> None:
    assert not is_valid(document)
