"""The ledger of commit 4a31a09 reads as it did."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import pytest

from daemon.domain.conversation import Feedback, Message
from daemon.domain.process_identity import ProcessIdentity
from daemon.domain.records import Coordinates, NewFeedback
from daemon.domain.text_digest import text_digest
from daemon.drift.detector_state import state_from_json, state_to_json
from daemon.intake.dead_letter_record import encode
from daemon.ledger.feedback import feedback_digest
from daemon.ledger.stores import Stores
from daemon.release.publish import publish_live
from daemon.views.explanation import explanation_of
from tests.compatibility.written import (
    EXPLAINED,
    LINE,
    STATES,
    VALUES,
    clock,
    in_the_ledger,
    kept,
)
from tests.factories.ledger import TOPIC


def test_the_holdout_key_is_known_by_its_fingerprint(stores: Stores) -> None:
    assert stores.holdout.fingerprint == VALUES["holdout_fingerprint"]


def test_the_log_of_erasures_is_whole(stores: Stores) -> None:
    stores.erasures.verify()


def test_the_digests_of_the_erasures_are_as_they_were(stores: Stores) -> None:
    assert [entry.digest for entry in stores.erasures.log()] == VALUES["erasure_digests"]


@pytest.mark.parametrize("text", STATES)
def test_a_detectors_state_is_written_as_it_was(text: str) -> None:
    assert json.dumps(state_to_json(state_from_json(json.loads(text)))) == text


@pytest.mark.parametrize("number", EXPLAINED)
def test_the_explanation_of_a_window_is_written_as_it_was(stores: Stores, number: int) -> None:
    [text] = in_the_ledger(f"SELECT explanation FROM windows WHERE number = {number}")  # noqa: S608
    window = stores.windows.window(number)
    assert window is not None
    explanation = explanation_of(window)
    assert explanation is not None

    assert json.dumps(asdict(explanation)) == text


def test_the_name_of_a_lease_holder_is_written_as_it_was() -> None:
    [text] = in_the_ledger("SELECT holder FROM lease")

    assert str(ProcessIdentity.read(text)) == text


def test_a_dead_letter_looks_on_its_topic_as_it_did(stores: Stores) -> None:
    key, value, headers = encode(stores.dead_letters.dead_letter(1).letter)

    assert {
        "key": key.hex(),
        "value": None if value is None else value.hex(),
        "headers": [[name, content.hex()] for name, content in headers],
    } == VALUES["dead_letter_record"]


def test_the_target_says_what_is_live(stores: Stores) -> None:
    assert not publish_live(stores, model_line=LINE, clock=clock)


def test_the_pseudonym_of_a_user_is_as_it_was(stores: Stores) -> None:
    assert stores.holdout.user_hash("u-1") == VALUES["derived"]["user_hash"]


def test_the_pseudonym_of_a_conversation_is_as_it_was(stores: Stores) -> None:
    assert stores.holdout.conversation_hash("c-1") == VALUES["derived"]["conversation_hash"]


def test_users_are_on_the_sides_on_which_they_were(stores: Stores) -> None:
    sides = [stores.holdout.holds_out(stores.holdout.user_hash(f"u-{number}")) for number in range(40)]

    assert sides == VALUES["derived"]["held_out"]


def some_messages() -> Sequence[Message]:
    return [Message(**message) for message in VALUES["derived"]["messages"]]


def test_the_digest_of_words_is_as_it_was() -> None:
    assert text_digest(some_messages()) == VALUES["derived"]["text_digest"]


def test_the_digest_of_feedback_is_as_it_was() -> None:
    given = dict(VALUES["derived"]["feedback"])
    when = datetime.fromisoformat(given.pop("at"))
    at = Coordinates(topic=TOPIC, partition=0, offset=1)
    said = NewFeedback(conversation_id="c-1", at=at, when=when, feedback=Feedback(**given))

    assert feedback_digest(said) == VALUES["derived"]["feedback_digest"]


def test_stored_conversations_have_the_digests_of_their_words(stores: Stores) -> None:
    assert all(
        text_digest(conversation.messages) == conversation.text_digest for conversation in kept(stores)
    )


def test_stored_conversations_are_on_the_sides_of_their_users(stores: Stores) -> None:
    assert all(
        stores.holdout.holds_out(conversation.group) == conversation.held_out for conversation in kept(stores)
    )
