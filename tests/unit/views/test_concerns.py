"""What status asks people to look at, though nothing is broken; alerts say the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daemon.ledger.line_facts import LineFacts
from daemon.views.concerns import concerns_of
from registry.types import PromotionKind
from tests.alerts.promtool import alerts

NOW = datetime(2026, 11, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CALM = LineFacts(
    last_conversation=NOW - HOUR,
    last_feedback=NOW - DAY,
    ceiling_ratio=0.1,
    last_run=None,
    live_since=(PromotionKind.BOOTSTRAP, NOW - 9 * DAY),
    gate_open_since=NOW - HOUR,
)


@pytest.mark.parametrize(
    "facts",
    [
        CALM,
        replace(CALM, last_feedback=None, gate_open_since=None),
        replace(
            CALM, last_conversation=NOW - 20 * HOUR, last_feedback=NOW - 5 * DAY
        ),  # nobody talks just now
        replace(
            CALM,
            last_conversation=None,
            last_feedback=None,
            live_since=(PromotionKind.BOOTSTRAP, NOW - HOUR),
        ),
        replace(CALM, last_conversation=None, last_feedback=None, live_since=None),
    ],
)
def test_a_calm_line_gives_no_concern(facts: LineFacts) -> None:
    assert list(concerns_of(facts, NOW)) == []


@pytest.mark.parametrize(
    ("facts", "alert", "found"),
    [
        (replace(CALM, ceiling_ratio=0.7), "RetunedDeadLettersNearCeiling", "70% of a limit"),
        (replace(CALM, last_conversation=NOW - 25 * HOUR), "RetunedNoConversations", "came for a day."),
        (replace(CALM, last_conversation=None), "RetunedNoConversations", "has ever been stored."),
        (replace(CALM, last_feedback=NOW - 3 * DAY), "RetunedFeedbackSilent", "no feedback for 3 days."),
        (replace(CALM, gate_open_since=NOW - 3 * DAY), "RetunedGateStarving", "for the gate for 3 days."),
    ],
)
def test_a_concern_is_named_as_the_alert_that_says_the_same(facts: LineFacts, alert: str, found: str) -> None:
    [concern] = concerns_of(facts, NOW)

    assert concern.alert == alert
    assert alert in alerts()
    assert found in concern.found
