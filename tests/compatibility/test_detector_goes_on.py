"""A detector that commit 4a31a09 stored goes on."""

import json

import pytest

from daemon.config.settings import MonitorsSection, Settings
from daemon.drift.detect_stage import DetectStage
from daemon.drift.detector_state import state_from_json
from daemon.drift.late_signals import LateSignalFeed
from daemon.drift.monitor_settings import aspects, late_aspects
from daemon.ledger.stores import Stores
from daemon.telemetry.metrics import Metrics
from monitors.sequential.detector_state import DetectorState
from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.types import Sample
from tests.compatibility.written import (
    LATER,
    WRITTEN,
    clock,
    new_conversations,
)
from tests.factories.ledger import a_batch


@pytest.fixture
def watching(stores: Stores, settings: Settings) -> DetectStage:
    detector_settings = DetectorSettings(
        aspects=aspects(settings),
        late_aspects=late_aspects(settings),
        conversations_between_false_alarms=settings.monitors.conversations_between_false_alarms,
        seed=settings.monitors.seed,
        cycle_days=settings.windows.reference_days,
    )

    def new_detector(
        reference: tuple[Sample, ...], block: int, state: DetectorState, recent: dict[int, Sample]
    ) -> EDetector:
        return EDetector(reference, detector_settings, block=block, state=state, recent=recent)

    return DetectStage(
        stores, LateSignalFeed(stores, MonitorsSection(feedback_wait_h=2), clock=clock),
        new_detector=new_detector, metrics=Metrics(), clock=clock,
    )  # fmt: skip


def test_the_detector_sees_what_comes_next(stores: Stores, watching: DetectStage) -> None:
    reference = stores.references.newest()
    assert reference is not None
    before = stores.detectors.stored(reference.id)
    assert before is not None
    stores.intake.record(a_batch(new_conversations(stores, 2), at=LATER))

    watching.step()

    after = stores.detectors.stored(reference.id)
    assert after is not None
    assert state_from_json(after.state).count == state_from_json(before.state).count + 2


def test_the_detector_goes_on_as_it_would_have(stores: Stores, watching: DetectStage) -> None:
    would = state_from_json(json.loads((WRITTEN / "golden" / "detector.json").read_text("utf-8")))
    reference = stores.references.newest()
    assert reference is not None
    stores.intake.record(a_batch(new_conversations(stores, 2), at=LATER))

    watching.step()

    after = stores.detectors.stored(reference.id)
    assert after is not None
    found = {aspect: one.wealth for aspect, one in state_from_json(after.state).wealths.items()}
    assert found == pytest.approx({aspect: one.wealth for aspect, one in would.wealths.items()})
