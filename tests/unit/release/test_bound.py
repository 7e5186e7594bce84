"""What a ledger is bound to is compared with what is there."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config.settings import Settings
from daemon.ledger.stores import Stores, open_stores
from daemon.release.bound import (
    Bound,
    BoundElsewhere,
    Difference,
    base_difference,
    differences,
    refuse_differences,
)
from daemon.release.promotion import roll_back_version
from registry.types import Actor
from tests.factories.daemon import LINE, Line, a_line, line_settings

BASE = "b" * 64
ADA = Actor(kind="operator", name="ada")


@pytest.fixture
def line(tmp_path: Path) -> Line:
    (tmp_path / "one").mkdir()
    return a_line(tmp_path / "one")


def found(line: Line, settings: Settings | None = None) -> list[Difference]:
    return list(differences(line.stores, settings or line.settings))


def with_learning(line: Line, **values: object) -> Settings:
    learning = line.settings.learning.model_copy(update=values)
    return line.settings.model_copy(update={"learning": learning})


def reopened(settings: Settings) -> Stores:
    return open_stores(settings, may_create_key=False)


def test_a_line_in_order_differs_in_nothing(line: Line) -> None:
    line.promoted()

    assert found(line) == []
    refuse_differences(line.stores, line.settings, base_digest=BASE)


def test_other_weights_under_the_same_path_are_refused_with_both_digests(line: Line) -> None:
    with pytest.raises(
        BoundElsewhere, match=r"digest cccccccccccc, but support-bot-v0.* digest bbbbbbbbbbbb"
    ):
        refuse_differences(line.stores, line.settings, base_digest="c" * 64)


def test_the_base_of_the_live_version_counts_and_an_empty_log_is_bound_to_none(tmp_path: Path) -> None:
    settings = line_settings(tmp_path)
    stores = open_stores(settings)

    assert list(base_difference(stores, settings, "c" * 64)) == []
    stores.engine.dispose()


@pytest.mark.parametrize(("setting", "value"), [("rank", 8), ("alpha", 64.0)])
def test_another_shape_than_the_live_versions_is_refused_with_both(
    line: Line, setting: str, value: float
) -> None:
    line.promoted()
    before = getattr(line.settings.learning, setting)

    (difference,) = found(line, with_learning(line, **{setting: value}))

    assert difference.bound is Bound.SHAPE
    assert (
        f"has {setting} {value}, but support-bot-v1, which is live, has {setting} {before}"
        in difference.found
    )
    assert f"set learning.{setting}: {before}" in difference.remedy


def test_both_remedies_for_another_shape_work(line: Line) -> None:
    line.promoted()
    settings = with_learning(line, rank=8)
    (difference,) = found(line, settings)
    assert "`retuned rollback v0 -m REASON`" in difference.remedy

    name = line.stores.versions.history(LINE).line[0]
    roll_back_version(line.stores, model_line=LINE, to=name, reason="rank 8", by=ADA, clock=line.clock)

    assert found(line, settings) == []


def test_the_base_has_no_shape(line: Line) -> None:
    assert found(line, with_learning(line, rank=8)) == []


def restore(line: Line, copy: Path) -> None:
    """Put an older copy of the ledger in its place."""
    line.stores.engine.dispose()
    shutil.copy(copy, line.settings.state_dir / "ledger.db")


def copied(line: Line, folder: Path) -> Path:
    line.stores.engine.dispose()  # the last connection's end moves everything into the one file
    return Path(shutil.copy(line.settings.state_dir / "ledger.db", folder / "backup.db"))


def test_an_older_backup_is_noticed_in_state_folder_and_artifact_store(line: Line, tmp_path: Path) -> None:
    backup = copied(line, tmp_path)
    line.promoted()
    restore(line, backup)
    line.stores = reopened(line.settings)

    problems = found(line)

    assert [each.bound for each in problems] == [Bound.LEDGER, Bound.LEDGER]
    assert all("names entry 2" in each.found and "ends at entry 1" in each.found for each in problems)
    assert all("older copy" in each.found for each in problems)


def test_a_backup_with_another_past_is_noticed(line: Line, tmp_path: Path) -> None:
    backup = copied(line, tmp_path)
    line.promoted()
    restore(line, backup)
    line.stores = reopened(line.settings)
    shutil.rmtree(line.settings.state_dir / "runs")
    line.now = line.now.replace(year=2027)
    line.promoted()  # another entry 2; its marks do not take the place of the first ones

    problems = found(line)
    assert {each.bound for each in problems} == {Bound.LEDGER}
    assert all("has entry 2 with digest" in each.found for each in problems)


def test_a_newer_ledger_and_a_lagging_mark_are_no_difference(line: Line) -> None:
    marked = (line.settings.state_dir / f"{LINE}.ledger.json").read_bytes()
    line.promoted()
    (line.settings.state_dir / f"{LINE}.ledger.json").write_bytes(marked)

    assert found(line) == []


@pytest.mark.parametrize("shared", ["state_dir", "artifacts_url"])
def test_a_second_ledger_is_noticed(line: Line, tmp_path: Path, shared: str) -> None:
    line.promoted()
    second = (
        line_settings(tmp_path / "one", ledger_url=f"sqlite:///{tmp_path}/second.db")
        if shared == "state_dir"
        else line_settings(tmp_path / "two", artifacts_url=f"file://{line.settings.state_dir}/artifacts")
    )
    stores = open_stores(second)

    problems = list(differences(stores, second))

    assert {each.bound for each in problems} == {Bound.LEDGER}
    assert all("was left by ledger" in each.found and "is ledger" in each.found for each in problems)
    stores.engine.dispose()


def test_a_ledger_that_was_accepted_is_the_right_one(line: Line, tmp_path: Path) -> None:
    backup = copied(line, tmp_path)
    line.promoted()
    restore(line, backup)
    line.stores = reopened(line.settings)
    assert found(line) != []

    line.stores.marks.accept()

    assert found(line) == []


def test_marks_that_disagree_stay_when_the_log_grows(line: Line, tmp_path: Path) -> None:
    backup = copied(line, tmp_path)
    line.promoted()
    restore(line, backup)
    line.stores = reopened(line.settings)

    line.stores.marks.advance()

    assert found(line) != []


def test_a_damaged_mark_is_written_again(line: Line) -> None:
    mark = line.settings.state_dir / f"{LINE}.ledger.json"
    mark.write_bytes(b"\xff{")
    assert found(line) == []

    line.stores.marks.advance()

    assert line.stores.marks.of_state_folder() is not None


def test_a_name_that_the_artifact_store_has_with_another_digest_is_not_used_again(
    line: Line, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backup = copied(line, tmp_path)
    first = line.candidate()
    digest = line.stores.versions.version(first).digest
    restore(line, backup)
    shutil.rmtree(line.settings.state_dir / "runs")
    line.stores, line.planned = reopened(line.settings), {}
    run = line.start_run(line.drift())
    planned = line.planned.pop(run.id)
    line.planned["r7"] = planned  # other bytes
    other = line.finish_run(replace(run, id="r7"))

    assert (str(first), str(other.name)) == (f"{LINE}-v1", f"{LINE}-v2")
    assert line.stores.versions.next_number(LINE) == 3
    assert digest in caplog.text
    assert other.digest in caplog.text


def test_an_artifact_that_was_stored_and_not_registered_keeps_its_name(line: Line, tmp_path: Path) -> None:
    backup = copied(line, tmp_path)
    first = line.candidate()
    restore(line, backup)
    shutil.rmtree(line.settings.state_dir / "runs")
    line.stores = reopened(line.settings)

    assert line.candidate() == first


def test_artifacts_url_that_names_another_store_is_noticed(line: Line, tmp_path: Path) -> None:
    line.promoted()
    settings = line.settings.model_copy(update={"artifacts_url": f"file://{tmp_path}/elsewhere"})
    stores = reopened(settings)

    (difference,) = differences(stores, settings)

    assert difference.bound is Bound.ARTIFACTS
    assert f"{tmp_path}/elsewhere" in difference.found
    assert "support-bot-v1" in difference.found
    stores.engine.dispose()


def test_a_copy_of_the_artifacts_without_the_mark_will_do(line: Line, tmp_path: Path) -> None:
    line.promoted()
    shutil.copytree(line.settings.state_dir / "artifacts", tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / f"{LINE}.ledger.json").unlink()
    settings = line.settings.model_copy(update={"artifacts_url": f"file://{tmp_path}/elsewhere"})
    stores = reopened(settings)

    assert list(differences(stores, settings)) == []
    stores.engine.dispose()


def test_an_artifact_store_that_does_not_answer_is_not_compared(line: Line) -> None:
    def fails(name: str) -> bytes | None:
        raise ConnectionError("no route")

    line.promoted()
    line.stores.artifacts.read_note = fails  # type: ignore[method-assign]

    assert found(line) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Path.unlink, "No such file"),
        (lambda path: path.write_text("another key of sixteen bytes"), "/0.1"),
        (lambda path: path.write_text("short"), "no key that can be used"),
    ],
)
def test_a_holdout_key_that_changes_is_noticed(
    line: Line, change: Callable[[Path], object], words: str
) -> None:
    change(line.settings.state_dir / "holdout.key")

    (difference,) = found(line)

    assert difference.bound is Bound.HOLDOUT_KEY
    assert words in difference.found
    assert line.stores.holdout.fingerprint in difference.found
