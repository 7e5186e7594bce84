"""What travelled between daemon and children reads and writes as it did."""

import json

import pytest

from daemon.training.planned_run import from_json, to_json
from learners.codec import (
    CONVERSATIONS,
    conversation_from_line,
    event_from_json,
    event_to_json,
    request_from_json,
    request_to_json,
)
from tests.compatibility.written import (
    RUNS,
    VALUES,
)


@pytest.mark.parametrize("text", VALUES["train_requests"])
def test_a_training_request_is_written_as_it_was(text: str) -> None:
    assert request_to_json(request_from_json(text)) == text


@pytest.mark.parametrize("text", VALUES["events"])
def test_an_event_is_written_as_it_was(text: str) -> None:
    assert event_to_json(event_from_json(text)) == text


def test_a_conversation_for_a_learner_is_written_as_it_was() -> None:
    text = VALUES["conversation"]

    (written,) = CONVERSATIONS.dump_python([conversation_from_line(text)], mode="json", exclude_defaults=True)

    assert json.dumps(written) == text


@pytest.mark.parametrize("text", RUNS)
def test_the_plan_of_a_run_is_written_as_it_was(text: str) -> None:
    assert json.dumps(to_json(from_json(json.loads(text)))) == text
