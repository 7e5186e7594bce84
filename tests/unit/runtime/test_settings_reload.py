import logging
from pathlib import Path

import pytest

from daemon.config.live import LiveSettings
from daemon.config.loader import load
from daemon.config.reloading import ReloadReport
from daemon.config.sections.logging import LoggingSection
from daemon.runtime.reload_signal import ReloadRequests
from daemon.runtime.settings_reload import ReloadSource, SettingsReload
from daemon.telemetry.exposition import read_samples
from daemon.telemetry.metrics import Metrics
from tests.factories.ledger import NOW


class World:
    """A settings file, and what reads it again."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "retuned.yaml"
        self.write()
        self.live = LiveSettings(load(self.file, {}))
        self.requests, self.metrics = ReloadRequests(), Metrics()
        self.reports: list[ReloadReport] = []
        self.logging: list[LoggingSection] = []
        source = ReloadSource(
            requests=self.requests, load=lambda: load(self.file, {}), configure_logging=self.logging.append
        )
        self.reload = SettingsReload(
            self.live, source, report=self.reports.append, metrics=self.metrics, clock=lambda: NOW
        )

    def write(self, *lines: str) -> None:
        self.file.write_text("\n".join(["model: {base: /models/m}", *lines]) + "\n", encoding="utf-8")

    def reread(self) -> None:
        self.requests.add()
        self.reload.step()

    def metric(self, name: str) -> float:
        _, exposition = self.metrics.exposition("")
        [sample] = read_samples(exposition.decode(), name)
        return sample.value


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_read_without_a_request(world: World) -> None:
    world.write("logging: {level: DEBUG}")
    world.reload.step()

    assert (world.reports, world.logging) == ([], [])
    assert world.metric("retuned_config_reload_success") == 1


def test_reloadable_settings_are_applied_and_the_others_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("logging: {level: DEBUG}", "policy: {schedule: 0 3 * * 1}", "kafka: {topic: other}")
    with caplog.at_level(logging.INFO):
        world.reread()

    [report] = world.reports
    assert report.applied == ("policy.schedule: unset -> 0 3 * * 1", "logging.level: INFO -> DEBUG")
    assert report.needs_restart == ("kafka.topic: conversations -> other",)
    assert world.live.current.policy.schedule == "0 3 * * 1"
    assert world.live.current.kafka.topic == "conversations"
    assert [section.level for section in world.logging] == ["DEBUG"]
    assert world.metric("retuned_config_awaiting_restart") == 1
    assert report.sentence in caplog.text


def test_a_setting_that_waits_is_named_again_until_it_is_set_back(world: World) -> None:
    world.write("kafka: {topic: other}")
    world.reread()
    world.reread()
    world.write()
    world.reread()

    assert [len(report.needs_restart) for report in world.reports] == [1, 1, 0]
    assert world.metric("retuned_config_awaiting_restart") == 0


def test_a_file_with_mistakes_changes_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    before = world.live.current
    world.write("logging: {level: LOUD}", "policy: {cooldown_s: -1}")
    world.reread()

    assert world.live.current is before
    assert world.logging == []
    assert len(world.reports[-1].mistakes) == 2
    assert "retuned.yaml:2: logging.level" in caplog.text
    assert "retuned.yaml:3: policy.cooldown_s" in caplog.text
    assert world.metric("retuned_config_reload_success") == 0

    world.write()
    world.reread()
    assert world.metric("retuned_config_reload_success") == 1


def test_settings_that_need_one_that_waits_are_not_applied(world: World) -> None:
    world.write("windows: {reference_size: 9000}")
    world.live.replace(load(world.file, {}))
    world.write(
        "policy: {max_new_conversations: 1000}", "retention: {conversations: 1000, dead_letters: 1000}"
    )
    world.reread()

    assert world.reports[-1].applied == ()
    assert len(world.reports[-1].needs_restart) == 4
    assert world.live.current.retention.conversations == 100_000
