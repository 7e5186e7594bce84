import json

from daemon.drift.detector_state import state_from_json, state_to_json
from monitors.sequential.detector_state import AspectWealth, DetectorState, LateState
from monitors.types import Aspect

STATE = DetectorState(
    count=3,
    begins=7,
    recent=(8, 9),
    wealths={Aspect.INPUT: AspectWealth(wealth=2.5, since=8)},
    late={
        Aspect.QUALITY: LateState(until=4, levels={"rating": {-1: 2, 1: 5}}, recent=(8,), count=7, recent_at=(6,))
    },
)  # fmt: skip


def test_a_state_survives_json() -> None:
    assert state_from_json(json.loads(json.dumps(state_to_json(STATE)))) == STATE


def test_a_state_without_the_fields_of_later_releases_is_read() -> None:
    document = state_to_json(STATE)
    del document["begins"]
    del document["heard"]["quality"]["count"], document["heard"]["quality"]["recent_at"]

    state = state_from_json(document)

    assert state.begins == 0
    assert (state.late[Aspect.QUALITY].count, state.late[Aspect.QUALITY].recent_at) == (0, ())


def test_a_state_of_a_release_without_late_signals_is_read() -> None:
    document = state_to_json(STATE)
    del document["heard"]

    assert state_from_json(document).late == {}
