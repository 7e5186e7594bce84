"""Settings, versions, promotions and artifacts of commit 4a31a09 read as they did, byte for byte."""

import json

import pytest

from daemon.config.loader import read_secret
from daemon.config.settings import Settings
from daemon.ledger.stores import Stores
from learners.models.artifact import verify_artifact
from registry.codec import (
    promotion_from_json,
    promotion_to_json,
    report_from_json,
    report_to_json,
    version_from_json,
    version_to_json,
)
from registry.history import entry_digest, verify
from registry.names import VersionName
from tests.compatibility.written import (
    LINE,
    V1,
    V2,
    VALUES,
    WRITTEN,
)


def test_the_settings_file_is_read(settings: Settings) -> None:
    assert settings.kafka.sasl_mechanism == "SCRAM-SHA-512"


def test_every_section_of_the_settings_is_set_in_the_file(settings: Settings) -> None:
    assert settings.model_fields_set == set(json.loads((WRITTEN / "golden" / "config_show.json").read_text()))


def test_a_password_in_the_settings_is_read(settings: Settings) -> None:
    assert read_secret(settings.kafka.sasl_password, None) == "only an example"


def test_what_is_live_is_as_it_was(stores: Stores) -> None:
    assert str(stores.versions.history(LINE).live) == VALUES["live"]


def test_the_line_of_versions_is_as_it_was(stores: Stores) -> None:
    assert [str(name) for name in stores.versions.history(LINE).line] == VALUES["line"]


def test_the_promotion_log_is_whole(stores: Stores) -> None:
    verify(stores.versions.history(LINE))
    stores.versions.verify(LINE)


def test_the_digests_of_the_promotion_log_are_as_they_were(stores: Stores) -> None:
    digests = [entry_digest(entry) for entry in stores.versions.history(LINE).entries]

    assert digests == VALUES["promotion_digests"]


def test_the_gate_reports_are_as_they_were(stores: Stores) -> None:
    found = [
        json.dumps(report_to_json(report))
        for version in stores.versions.versions(LINE)
        for report in stores.versions.gate_reports(version.name)
    ]

    assert found == VALUES["gate_reports"][:3]


@pytest.mark.parametrize("text", VALUES["versions"])
def test_a_version_is_written_as_it_was(text: str) -> None:
    assert json.dumps(version_to_json(version_from_json(json.loads(text)))) == text


@pytest.mark.parametrize("text", VALUES["promotions"])
def test_a_promotion_is_written_as_it_was(text: str) -> None:
    assert json.dumps(promotion_to_json(promotion_from_json(json.loads(text)))) == text


@pytest.mark.parametrize("text", VALUES["gate_reports"])
def test_a_gate_report_is_written_as_it_was(text: str) -> None:
    assert json.dumps(report_to_json(report_from_json(json.loads(text)))) == text


@pytest.mark.parametrize("name", [V1, V2])
def test_an_artifact_is_fetched(stores: Stores, name: VersionName) -> None:
    version = stores.versions.version(name)
    assert version.artifact is not None

    fetched = stores.artifacts.fetch(version.artifact, version.digest)

    assert (fetched / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("name", [V1, V2])
def test_an_artifact_is_whole_where_it_is_stored(stores: Stores, name: VersionName) -> None:
    version = stores.versions.version(name)
    assert version.artifact is not None

    stores.artifacts.verify(version.artifact, version.digest)


@pytest.mark.parametrize("name", [V1, V2])
def test_a_learner_finds_an_artifact_whole(stores: Stores, name: VersionName) -> None:
    version = stores.versions.version(name)
    assert version.artifact is not None

    found = verify_artifact(stores.artifacts.fetch(version.artifact, version.digest))

    assert found == VALUES["artifact_digests"][str(name)]
