"""What support answers is true to the settings, and every wording is one of its own."""

import pytest
import yaml

from daemon.config.settings import CurationSection, Settings
from daemon.demo.launch.facts import read_facts
from daemon.demo.launch.subjects import Subject
from daemon.demo.launch.wordings import HELD_OUT, MOST_TRAINABLE, word
from daemon.domain.conversation import Message
from daemon.training.near_duplicates import NearDuplicates, clusters, signature
from daemon.training.shared_text import find_shared_text

pytestmark = pytest.mark.unit
FACTS = read_facts()


def test_the_defaults_are_those_of_the_settings() -> None:
    settings = Settings.model_validate({"model": {"base": "any"}})

    for fact in FACTS:
        value: object = settings
        for name in fact.subject.setting.split("."):
            value = getattr(value, name)
        assert yaml.safe_load(fact.default) == value
        assert fact.answer.startswith(fact.subject.setting)


def test_every_fact_has_an_explanation_in_the_settings() -> None:
    assert all(fact.explanation for fact in FACTS)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError):
        read_facts([Subject(setting="policy.luck", clause="how lucky one is", noun="luck")])


def test_no_two_questions_and_no_two_answers_are_the_same() -> None:
    wordings = word(FACTS, trainable=MOST_TRAINABLE)

    assert len({wording.text.casefold() for wording in wordings}) == len(wordings)
    assert len({fact.answer for fact in FACTS}) == len(FACTS)


@pytest.mark.parametrize("trainable", [1, 4, MOST_TRAINABLE])
def test_each_fact_has_held_out_wordings_whatever_the_size(trainable: int) -> None:
    wordings = word(FACTS, trainable=trainable)

    held_out = {wording.text for wording in wordings if wording.held_out}
    assert len(held_out) == HELD_OUT * len(FACTS)
    assert len(wordings) == (HELD_OUT + trainable) * len(FACTS)
    assert held_out.isdisjoint(wording.text for wording in wordings if not wording.held_out)


def test_held_out_wordings_take_up_both_phrases_of_their_subject() -> None:
    for wording in word(FACTS, trainable=4):
        if wording.held_out:
            subject, text = wording.fact.subject, wording.text.casefold()
            assert subject.clause.casefold() in text or subject.noun.casefold() in text


def test_training_leaves_out_no_wording_as_a_copy() -> None:
    """The same corrected answer is shared by all wordings of a fact, and each pattern by all facts."""
    talks = [
        (
            wording,
            (
                Message(role="user", content=wording.text),
                Message(role="assistant", content=wording.fact.answer),
            ),
        )
        for wording in word(FACTS, trainable=MOST_TRAINABLE)
    ]
    shared = find_shared_text([messages for _, messages in talks])
    signatures = {number: signature(shared.own_text(messages)) for number, (_, messages) in enumerate(talks)}
    trainable = {number: signatures[number] for number, (one, _) in enumerate(talks) if not one.held_out}
    similarity = CurationSection().similarity

    found = clusters(trainable, threshold=similarity)

    assert [talks[number][0].text for number, first in found.items() if number != first] == []
    index = NearDuplicates(threshold=similarity)
    for number, one in trainable.items():
        index.add(number, one)
    near = {
        talks[number][0].text: [talks[other][0].text for other in index.like(signatures[number])]
        for number, (one, _) in enumerate(talks)
        if one.held_out
    }
    assert {text: others for text, others in near.items() if others} == {}
