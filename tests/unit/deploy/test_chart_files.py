"""What the chart has from elsewhere is as it is there."""

import json
import tomllib

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from daemon.config.settings import Settings
from deploy.helm.generate import chart_files, copies
from deploy.helm.values import CHART, commented, defaults, uncommented
from deploy.helm.values_schema import file_settings, values_schema

FILES = chart_files()
SCHEMA = values_schema()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_its_origin_gives(name: str) -> None:
    assert (CHART / name).read_text("utf-8") == FILES[name], f"{name} is out of date: run make docs"


def test_no_copy_is_left_of_what_is_gone() -> None:
    assert copies() - FILES.keys() == set()


def test_every_value_is_explained() -> None:
    assert uncommented() == []
    assert [value.name for value in commented() if not value.comment.strip()] == []


def test_the_chart_is_of_this_release() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    project = tomllib.loads((CHART.parents[2] / "pyproject.toml").read_text("utf-8"))["project"]

    assert chart["appVersion"] == project["version"]


def test_the_schema_is_one_and_accepts_the_defaults() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(defaults(), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_knows_every_setting_but_secrets_and_the_name_of_the_replica() -> None:
    settings = json.dumps(Settings.model_json_schema())
    known = json.dumps({"config": SCHEMA["properties"]["config"], "$defs": SCHEMA["$defs"]})

    for name in ("password", "sasl_password", "oauth_client_secret", "instance_id"):
        assert f'"{name}": {{' in settings
        assert f'"{name}": {{' not in known
    for name in ("model_line", "sasl_password_file", "conversations_between_false_alarms"):
        assert f'"{name}": {{' in known


def test_a_secret_may_be_the_file_of_every_setting_that_names_one() -> None:
    names = file_settings(Settings.model_json_schema())

    assert {
        "holdout.key_file",
        "kafka.ssl_cafile",
        "kafka.schema_registry.password_file",
        "teacher.api_key_file",
    } <= set(names)
    assert {"state_dir", "target_dir", "kubernetes.job_template"} & set(names) == set()
