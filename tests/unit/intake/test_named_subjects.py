import gzip

import pytest

from daemon.config.settings import LimitsSection
from daemon.domain.conversation import JSON
from daemon.intake.named_subjects import named_subjects
from tests.factories.intake import a_completion, a_record, as_bytes


@pytest.mark.parametrize(
    ("record", "users", "conversations"),
    [
        (a_record(messages=3), {"u-1"}, {"c-1"}),
        (a_record(user_id=5, conversation_id={"$oid": "65f"}), {"5"}, {"65f"}),
        (a_completion(), {"u-1"}, {"chatcmpl-1"}),
        ({"id": "l-1", "end_user": "u-2", "metadata": {"session_id": "s-1"}}, {"u-2"}, {"l-1", "s-1"}),
        ({"request": {"metadata": {"user_id": "u-3"}, "safety_identifier": "h"}}, {"u-3", "h"}, set()),
        (
            {"before": None, "op": "c", "after": {"conversation_id": "c-1", "user_id": "u-1"}},
            {"u-1"},
            {"c-1"},
        ),
        ([a_record(user_id="a"), a_record(user_id="b")], {"a", "b"}, {"c-1"}),
        ({"user_id": "x" * 300, "conversation_id": None}, set(), set()),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"user_id": "too deep"}}}}}}}, set(), set()),
    ],
)
def test_users_and_conversations_are_found_under_any_of_their_names(
    record: JSON, users: set[str], conversations: set[str]
) -> None:
    for value in (as_bytes(record), gzip.compress(as_bytes(record))):
        found = named_subjects(value, limits=LimitsSection())

        assert (set(found[0]), set(found[1])) == (users, conversations)


@pytest.mark.parametrize("value", [None, b"", b"{", b"\x00\x00\x00\x00\x01\x02"])
def test_what_can_not_be_unwrapped_names_nobody(value: bytes | None) -> None:
    assert named_subjects(value, limits=LimitsSection()) == ([], [])
