"""Whatever a topic brings, intake goes on, and each record is accounted for once."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from daemon.domain.holdout import Holdout
from daemon.domain.streams import RawRecord
from daemon.domain.windows import SeqRange
from daemon.intake.router import Router
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from tests.factories.intake import NOW, a_record, as_bytes
from tests.factories.ledger import TOPIC
from tests.factories.stores import some_settings
from tests.support.hostile import values


class Intake:
    """Everything between Kafka and the ledger."""

    def __init__(self, engine: Engine, *, consent_field: str | None = None) -> None:
        line = some_settings(Path(), model_line="support-bot", hygiene={"consent_field": consent_field})
        self._router = Router(line, Holdout(b"k" * 32, share=0.1))
        self._ledger = IntakeLedger(engine, window_size=20)
        self._offsets = itertools.count()

    def accounted_for(self, read: Sequence[bytes | None]) -> int:
        """Read records; return how many ended somewhere."""
        routed = self._router.route([self._record(value) for value in read], NOW)
        result = self._ledger.record(routed.batch) if read else None
        if result is None:
            return 0
        kept = result.conversations + result.feedback + result.dead_letters
        dropped = result.duplicates + result.forgotten + result.not_admitted
        return (
            kept
            + dropped
            + routed.other_line
            + routed.not_admitted
            + routed.tombstones
            + sum(routed.absent.values())
        )

    def _record(self, value: bytes | None) -> RawRecord:
        offset = next(self._offsets)
        return RawRecord(topic=TOPIC, partition=0, offset=offset, timestamp_ms=0, key=value, value=value)


@pytest.fixture(params=[None, "consent"], ids=["all", "consent"])
def intake(engine: Engine, request: pytest.FixtureRequest) -> Intake:
    return Intake(engine, consent_field=request.param)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, max_size=6))
def test_every_record_is_accounted_for_once(intake: Intake, read: list[bytes | None]) -> None:
    assert intake.accounted_for(read) == len(read)


@pytest.mark.parametrize("name", ["a\0b", "\0"])
def test_a_source_that_not_every_database_keeps_is_none(engine: Engine, name: str) -> None:
    assert Intake(engine).accounted_for([as_bytes(a_record(tenant=name))]) == 1

    assert ConversationLedger(engine).between(SeqRange(first=1, last=9))[0].source is None
