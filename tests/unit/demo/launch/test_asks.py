"""Who asks what at the launch: nothing that a held-out user asks is ever trained on."""

from collections import Counter

import pytest

from daemon.demo.launch.asks import plan_asks, plan_sabotage
from daemon.demo.launch.facts import read_facts
from daemon.demo.launch.records import records_of
from daemon.demo.launch.wordings import word
from daemon.domain.conversation import Conversation, FeedbackRecord
from daemon.domain.holdout import Holdout
from tests.factories.demo import NOON

pytestmark = pytest.mark.unit
HOLDOUT = Holdout(b"a key of sixteen bytes", share=0.2)
WORDINGS = word(read_facts()[:10], trainable=4)
ANSWERS = {wording.text: f"I suppose {wording.text}" for wording in WORDINGS}
ASKS = plan_asks(WORDINGS, total=200, lead=20, tail=50, holdout=HOLDOUT, seed=0)


def test_held_out_wordings_are_asked_by_held_out_users_only() -> None:
    for ask in ASKS:
        assert HOLDOUT.holds_out(HOLDOUT.user_hash(ask.user_id)) is ask.wording.held_out


def test_every_wording_is_asked_and_corrected_once() -> None:
    corrected = Counter(ask.wording.text for ask in ASKS if ask.corrected)

    assert corrected == Counter(wording.text for wording in WORDINGS)
    assert len(ASKS) == 200
    assert not any(ask.corrected for ask in ASKS[:20])


def test_the_last_questions_only_repeat_earlier_ones() -> None:
    assert not any(ask.corrected for ask in ASKS[-50:])


def test_popular_facts_are_asked_for_more_often() -> None:
    asked = Counter(
        ask.wording.fact
        for ask in plan_asks(WORDINGS, total=2_000, lead=20, tail=50, holdout=HOLDOUT, seed=0)
    )

    first, *_, last = (asked[wording.fact] for wording in WORDINGS)
    assert first > 3 * last


def test_no_user_asks_twice() -> None:
    assert len({ask.user_id for ask in ASKS}) == len(ASKS)


def test_the_same_seed_plans_the_same_questions() -> None:
    again, other = (plan_asks(WORDINGS, total=200, lead=20, tail=50, holdout=HOLDOUT, seed=s) for s in (0, 1))

    assert again == ASKS != other


def test_opinions_follow_their_conversation() -> None:
    records = records_of(ASKS, ANSWERS, version="demo-v0", at=NOON, seed=0)

    seen: set[str] = set()
    for record in records:
        if isinstance(record, Conversation):
            seen.add(record.conversation_id)
            assert record.model_version == "demo-v0"
        else:
            assert record.conversation_id in seen
    opinions = [record.feedback for record in records if isinstance(record, FeedbackRecord)]
    assert sum(opinion.thumb == "down" for opinion in opinions) == sum(ask.disliked for ask in ASKS)
    assert {opinion.correction for opinion in opinions if opinion.correction} == {
        wording.fact.answer for wording in WORDINGS
    }


def test_a_saboteur_spares_no_side_and_users_ask_on_their_own() -> None:
    asks = plan_sabotage(WORDINGS, total=24, holdout=HOLDOUT, seed=0)

    assert Counter(ask.wording.held_out for ask in asks) == {False: 24, True: 8}
    for ask in asks:
        assert HOLDOUT.holds_out(HOLDOUT.user_hash(ask.user_id)) is ask.wording.held_out
    assert {ask.user_id for ask in asks}.isdisjoint(ask.user_id for ask in ASKS)
    assert {ask.conversation_id for ask in asks}.isdisjoint(ask.conversation_id for ask in ASKS)
