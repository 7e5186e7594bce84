from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.domain.conversation import Conversation, Message
from daemon.domain.windows import SeqRange
from daemon.drift.samples import sample_of
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.labels import labels_of
from tests.factories.ledger import a_batch, a_conversation, a_ledger


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("refund", ["refund"]),
        ("退款", ["退款"]),
        (True, ["True"]),
        (3, ["3"]),
        (["book", "cancel"], ["book", "cancel"]),
        (["book", None, {"a": 1}], ["book"]),
        ("x" * 500, ["x" * 64]),
        ([str(n) for n in range(100)], [str(n) for n in range(8)]),
        (None, [""]),
        ({"name": "refund"}, [""]),
        ([], [""]),
    ],
)
def test_a_fields_values_are_read_within_bounds(given: object, values: list[str]) -> None:
    assert labels_of({"intent": given, "other": "o"}, ["intent"]) == tuple(("intent", v) for v in values)


def test_a_field_that_is_not_there_says_so_and_without_fields_nothing_is_said() -> None:
    assert labels_of({}, ["intent", "queue"]) == (("intent", ""), ("queue", ""))
    assert labels_of({"intent": "refund"}, []) == ()


@pytest.mark.parametrize(("fields", "labels"), [((), ()), (("intent",), (("intent", "refund"),))])
def test_the_detector_is_shown_the_labels_that_the_settings_name(
    tmp_path: Path, fields: tuple[str, ...], labels: tuple[tuple[str, str], ...]
) -> None:
    engine = a_ledger(tmp_path)
    conversation = Conversation(
        conversation_id="c0",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        messages=(Message(role="user", content="money back?"),),
        metadata={"intent": "refund", "secret": "s"},
    )
    plain = a_conversation(0)
    IntakeLedger(engine, window_size=50).record(a_batch([replace(plain, conversation=conversation)]))

    [stored] = ConversationLedger(engine, label_fields=fields).between(SeqRange(first=1, last=1))

    assert sample_of(stored).labels == labels
