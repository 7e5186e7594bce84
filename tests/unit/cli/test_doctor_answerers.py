"""The doctor says whom the stream names as answering."""

from pathlib import Path

import pytest

from daemon.cli.doctor.answerers import check_answerers
from daemon.cli.doctor.check import Check
from daemon.config.settings import Settings
from daemon.ledger.intake import IntakeLedger
from tests.factories.ledger import a_batch, a_ledger
from tests.factories.lessons import answered
from tests.factories.stores import some_settings, some_stores


def examined(folder: Path, *versions: str | None, **lessons: object) -> Check:
    settings: Settings = some_settings(folder, lessons=lessons)
    settings = settings.model_copy(update={"model_line": "support-bot"})
    engine = a_ledger(folder)
    if versions:
        said = [answered(number, version) for number, version in enumerate(versions)]
        IntakeLedger(engine, window_size=5_000).record(a_batch(said))
    return check_answerers(some_stores(engine, settings), settings)


@pytest.mark.parametrize("name", ["assistant", "Support_Bot", "acme/support-bot:latest", "support-bot-2"])
def test_a_name_that_may_be_the_models_is_asked_about(tmp_path: Path, name: str) -> None:
    found = examined(tmp_path, "support-bot-v1", name, name)

    assert not found.ok
    assert found.found == f"answers by {name!r}, 2 of the newest 3, are taken as another model's and imitated"
    assert found.remedy == "name it in lessons.own_names if it is the model, else in lessons.people"


@pytest.mark.parametrize("setting", ["own_names", "people"])
def test_a_name_that_the_settings_know_is_not(tmp_path: Path, setting: str) -> None:
    assert examined(tmp_path, "assistant", **{setting: ["assistant"]}).ok


def test_it_says_how_answers_are_taken(tmp_path: Path) -> None:
    found = examined(tmp_path, "support-bot-v1", "gpt-4o", "gpt-4o", "anna", "bert", "carl", None)

    assert found.ok
    assert found.found == (
        "of the newest 7 conversations the model answered 1, others 5, which are imitated: 'gpt-4o' 2, 'anna' 1, 'bert' 1 and "
        "1 more names; 1 name nobody: imitated, as a person's or another model's (lessons.unnamed)"
    )


def test_unnamed_answers_may_be_the_models(tmp_path: Path) -> None:
    found = examined(tmp_path, None, unnamed="own")

    assert found.found == (
        "of the newest 1 conversations the model answered 1; 1 name nobody: the model's (lessons.unnamed)"
    )


def test_without_conversations_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert examined(tmp_path).found == "the ledger has no conversation yet"
