from pathlib import Path

import pytest

from daemon.domain.bad_record import Absence
from daemon.domain.conversation import JSON
from daemon.domain.holdout import Holdout
from daemon.domain.records import Coordinates, Tombstone
from daemon.domain.streams import RawRecord
from daemon.domain.unusable_feedback import Unusable
from daemon.intake.router import RoutedRecords, Router
from tests.factories.formats import PLAIN, completion, langfuse_batch, request_of
from tests.factories.intake import a_record, as_bytes
from tests.factories.ledger import NOW, TOPIC
from tests.factories.stores import some_settings

HOLDOUT = Holdout(b"k" * 32, share=0.5)


def routed(tombstones: str, *records: tuple[bytes | None, bytes | None]) -> RoutedRecords:
    """Records of these keys and values, where tombstones are treated so."""
    router = Router(some_settings(Path(), kafka={"tombstones": tombstones}), HOLDOUT)
    read = [
        RawRecord(topic=TOPIC, partition=0, offset=offset, timestamp_ms=0, key=key, value=value)
        for offset, (key, value) in enumerate(records)
    ]
    return router.route(read, NOW)


@pytest.mark.parametrize("key", ["c-17", "张/a", "ada@example.org", "x" * 256])
def test_a_tombstone_names_the_conversation_of_its_key(key: str) -> None:
    found = routed("forget", (key.encode(), None))

    at = Coordinates(topic=TOPIC, partition=0, offset=0)
    hash_ = HOLDOUT.conversation_hash(key)
    assert found.batch.tombstones == (Tombstone(at=at, conversation_id=key, conversation_hash=hash_),)
    assert (found.tombstones, found.batch.next_offsets) == (1, {(TOPIC, 0): 1})


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"\xed\xa0\x80", b"a\0b", b"x" * 257])
def test_a_tombstone_whose_key_can_be_no_id_is_passed_over(key: bytes | None) -> None:
    found = routed("forget", (key, None))

    assert (found.tombstones, found.batch.tombstones, found.batch.dead_letters) == (1, (), ())


def test_tombstones_erase_nothing_unless_that_is_set() -> None:
    found = routed("ignore", (b"c-17", None), (b"c-18", None))

    assert (found.tombstones, found.batch.tombstones, found.batch.dead_letters) == (2, (), ())
    assert found.batch.next_offsets == {(TOPIC, 0): 2}


def test_a_value_of_no_bytes_is_passed_over_and_erases_nothing() -> None:
    found = routed("forget", (b"c-17", b""))

    assert (found.tombstones, found.batch.tombstones, found.batch.dead_letters) == (1, (), ())


def test_of_a_list_the_usable_records_are_kept_and_one_dead_letter_tells_of_the_others() -> None:
    ids = ["c-1", "", "c-2", ""]
    values = [a_record(conversation_id=id_, model_line=None) for id_ in ids]

    found = routed("ignore", (b"k", as_bytes(values)))

    assert [new.conversation.conversation_id for new in found.batch.conversations] == ["c-1", "c-2"]
    assert [letter.field for letter in found.batch.dead_letters] == ["conversation_id"]


def test_a_change_that_reports_a_deletion_is_passed_over_and_counted() -> None:
    found = routed("forget", (b"c-17", as_bytes({"before": a_record(), "after": None, "op": "d"})))

    assert (found.tombstones, found.batch.tombstones, found.batch.dead_letters) == (1, (), ())


def test_opinions_that_can_not_be_read_are_counted_by_reason() -> None:
    values: list[JSON] = [
        a_record(conversation_id="c-1", model_line=None, feedback={"rating": 8}),
        {"conversation_id": "c-1", "ts": 1_795_521_540, "feedback": {"thumb": "sideways"}},
    ]

    found = routed("ignore", *((b"k", as_bytes(value)) for value in values))

    assert found.unusable_feedback == {Unusable.SCALE: 1, Unusable.WORD: 1}
    assert found.absent == {Absence.UNUSABLE_FEEDBACK: 1}
    assert (len(found.batch.conversations), found.batch.feedback, found.batch.dead_letters) == (1, (), ())


@pytest.mark.parametrize(
    "user", ["anonymous", "Guest", "default_user_id", "00000000-0000-0000-0000-000000000000"]
)
def test_an_id_that_many_people_share_is_no_user(user: str) -> None:
    [new] = routed("ignore", (b"k", as_bytes(a_record(user_id=user, model_line=None)))).batch.conversations

    assert (new.user_hash, new.conversation.user_id) == (None, None)


def test_which_ids_are_shared_is_a_setting() -> None:
    router = Router(some_settings(Path(), hygiene={"shared_user_ids": ["Kiosk"]}), HOLDOUT)
    users = ["kiosk", "anonymous"]
    records = [
        RawRecord(
            topic=TOPIC, partition=0, offset=offset, timestamp_ms=0, key=None,
            value=as_bytes(a_record(conversation_id=user, user_id=user, model_line=None)),
        )
        for offset, user in enumerate(users)
    ]  # fmt: skip

    found = router.route(records, NOW).batch.conversations

    assert [new.conversation.user_id for new in found] == [None, "anonymous"]


def test_one_message_of_a_session_is_a_record_of_its_own() -> None:
    record = a_record(
        model_line=None, session_id="s", messages=[{"role": "assistant", "content": "On its way."}]
    )

    [new] = routed("ignore", (None, as_bytes(record))).batch.conversations

    assert [message.role for message in new.conversation.messages] == ["assistant"]
    assert new.session_hash == HOLDOUT.conversation_hash("s")


def test_side_and_group_are_those_of_the_session_where_no_user_is_named() -> None:
    records = [
        a_record(model_line=None, conversation_id=id_, user_id=None, session_id="s") for id_ in ("one", "two")
    ]

    one, two = routed("ignore", *((None, as_bytes(record)) for record in records)).batch.conversations

    assert (one.group, one.held_out) == (two.group, two.held_out)


def kserve_event(kind: str, id_: str, data: JSON) -> bytes:
    type_ = f"org.kubeflow.serving.inference.{kind}"
    return as_bytes({"specversion": "1.0", "type": type_, "id": id_, "data": data})


@pytest.mark.parametrize("order", [("request", "response"), ("response", "request")])
def test_the_two_events_of_kserve_are_one_conversation(order: tuple[str, str]) -> None:
    bodies = {"request": request_of(PLAIN[:2]), "response": completion(PLAIN[2])}

    found = routed("ignore", *((b"k", kserve_event(kind, "e-1", bodies[kind])) for kind in order))

    assert [new.conversation.messages for new in found.batch.conversations] == [PLAIN]
    assert (found.batch.conversations[0].at.offset, found.batch.dead_letters) == (1, ())


def test_an_event_of_kserve_that_stays_alone_is_a_dead_letter_that_says_why() -> None:
    found = routed("ignore", (b"k", kserve_event("request", "e-1", request_of(PLAIN[:2]))))

    (letter,) = found.batch.dead_letters
    assert (letter.reason, letter.at.offset) == ("unsupported", 0)
    assert "read as kserve" in letter.message


def test_records_without_a_conversation_are_counted_by_why() -> None:
    failed = {"request": request_of(PLAIN[:2]), "response": {"error": {"code": 429}}}

    found = routed("ignore", (b"k", as_bytes(failed)), (b"k", as_bytes(failed)))

    assert (found.absent, found.batch.dead_letters) == ({Absence.FAILED: 2}, ())


def test_one_value_may_bring_several_conversations() -> None:
    calls = [langfuse_batch(PLAIN)["batch"][0] | {"id": f"e-{number}"} for number in range(2)]
    for number, call in enumerate(calls):
        call["body"] = call["body"] | {"id": f"a-{number}"}

    found = routed("ignore", (b"k", as_bytes({"batch": calls})))

    assert [new.conversation.conversation_id for new in found.batch.conversations] == ["a-0", "a-1"]


def test_a_record_without_a_time_has_kafkas() -> None:
    record = as_bytes(a_record(ts=None, model_line=None))
    router = Router(some_settings(Path()), HOLDOUT)
    raw = RawRecord(
        topic=TOPIC, partition=0, offset=0, timestamp_ms=1_795_521_540_000, key=None, value=record
    )

    (new,) = router.route([raw], NOW).batch.conversations

    assert new.conversation.at.timestamp() == 1_795_521_540
