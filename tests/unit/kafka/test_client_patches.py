"""The patches of kafka-python: only on request, only on the client that they were written for."""

import subprocess
import sys

import pytest

from daemon.kafka import client_patches
from daemon.kafka.batches import BoundedBatch, BoundedLegacyBatch, WatchedFetcher
from daemon.kafka.joining import ResumingCoordinator
from daemon.kafka.library import DefaultRecordBatch, Fetcher, consumer_group, memory_records


@pytest.fixture
def unpatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client as it is installed, whatever ran before; restored afterwards."""
    for module, name, replacement in client_patches._REPLACEMENTS:
        monkeypatch.setattr(module, name, replacement.__bases__[0])


@pytest.mark.usefixtures("unpatched")
def test_every_class_is_replaced_and_applying_again_changes_nothing() -> None:
    client_patches.apply()
    client_patches.apply()

    assert memory_records.DefaultRecordBatch is BoundedBatch
    assert memory_records.LegacyRecordBatch is BoundedLegacyBatch
    assert consumer_group.Fetcher is WatchedFetcher
    assert consumer_group.ConsumerCoordinator is ResumingCoordinator


def test_importing_the_package_patches_nothing() -> None:
    code = (
        "import daemon.kafka\n"
        "from daemon.kafka.library import consumer_group, memory_records\n"
        "for found in (consumer_group.Fetcher, memory_records.DefaultRecordBatch):\n"
        "    assert found.__module__.startswith('kafka.'), found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("unpatched")
@pytest.mark.parametrize("version", ["2.3.2", "3.1.0", "30.0.1"])
def test_another_release_series_is_refused_and_nothing_is_replaced(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_patches, "client_version", version)

    with pytest.raises(
        client_patches.UnsupportedClient, match=rf"kafka-python {version} is installed.*3\.0\.x"
    ):
        client_patches.apply()

    assert memory_records.DefaultRecordBatch is DefaultRecordBatch


@pytest.mark.usefixtures("unpatched")
def test_a_missing_attribute_is_named_and_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(consumer_group, "ConsumerCoordinator")

    with pytest.raises(
        client_patches.UnsupportedClient, match=r"kafka\.consumer\.group\.ConsumerCoordinator"
    ):
        client_patches.apply()

    assert consumer_group.Fetcher is Fetcher


@pytest.mark.usefixtures("unpatched")
def test_a_class_that_something_else_replaced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_records, "DefaultRecordBatch", dict)

    with pytest.raises(client_patches.UnsupportedClient, match="load nothing else that patches it"):
        client_patches.apply()
