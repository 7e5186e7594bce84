"""What keeps answers from being learned: once users say what they think of them, or the method fits, they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.doctor.lessons import check_lessons
from daemon.config.settings import Settings
from daemon.domain.errors import NotEnoughData
from daemon.domain.records import NewConversation, NewFeedback
from daemon.ledger.stores import Stores
from daemon.training.built_dataset import Dataset
from daemon.training.dataset import build_dataset
from tests.factories.ledger import a_batch, a_ledger
from tests.factories.lessons import answered, opinion
from tests.factories.stores import some_settings, some_stores
from tests.remedies.cases import mends


class Stream:
    """A ledger that records arrive in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = some_settings(folder)
        self.stores: Stores = some_stores(a_ledger(folder), self.settings)

    def brings(self, *new: NewConversation, feedback: tuple[NewFeedback, ...] = ()) -> None:
        self.stores.intake.record(a_batch(new, feedback=feedback))

    def built(self, settings: Settings | None = None) -> Dataset:
        path = self.folder / "data.jsonl"
        return build_dataset(self.stores.conversations, settings or self.settings, since_seq=1, path=path)


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    made = Stream(tmp_path)
    yield made
    made.stores.engine.dispose()


def test_a_stream_of_own_answers_teaches_once_users_say_what_they_think(stream: Stream) -> None:
    stream.brings(*(answered(n, "chat-v0") for n in range(30)))
    found = check_lessons(stream.stores, stream.settings)
    assert (found.ok, "30 own answers that nobody judged" in found.found) == (False, True)
    assert "corrections" in found.remedy
    with pytest.raises(NotEnoughData, match="corrections"):
        stream.built()

    stream.brings(feedback=(opinion(40, "c3", correction="rather so"),))

    assert check_lessons(stream.stores, stream.settings).ok
    assert stream.built().lessons == {"correction": 1}


def test_answers_of_people_teach_once_they_are_named(stream: Stream) -> None:
    """A log names the model in every record, though people answered."""
    stream.brings(*(answered(n, "chat-v0") for n in range(30)))
    assert "name these in model_version" in check_lessons(stream.stores, stream.settings).remedy

    stream.brings(*(answered(n, "anna") for n in range(30, 60)))

    assert check_lessons(stream.stores, stream.settings).ok
    assert stream.built().lessons == {"demonstration": 30}


@mends("set learning.method", "daemon/training/dataset.py")
def test_a_method_that_has_no_pairs_to_learn_from_is_changed(stream: Stream) -> None:
    stream.brings(*(answered(n, None) for n in range(30)))
    compares = stream.settings.learning.model_copy(update={"method": "dpo"})
    with pytest.raises(NotEnoughData, match=r"set learning\.method to lora"):
        stream.built(stream.settings.model_copy(update={"learning": compares}))

    imitates = stream.settings.learning.model_copy(update={"method": "lora"})

    assert stream.built(stream.settings.model_copy(update={"learning": imitates})).lessons
