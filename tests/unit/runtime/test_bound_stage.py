"""While the daemon runs, it notices what no longer is as the ledger says; a start is refused."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from daemon.config.loader import dump
from daemon.ledger.stores import build_stores
from daemon.ledger.tables import identity
from daemon.runtime.base_model import find_base_model
from daemon.runtime.bound_stage import BoundStage
from learners.models.base import base_digest, base_stamp
from registry.tables import versions
from tests.factories.cli import type_to
from tests.factories.daemon import LINE, Line, a_line
from tests.support.helpers import eventually


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A line whose base model has weights."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    made = a_line(tmp_path)
    bind_to(made, base_digest(model))
    yield made
    made.stores.engine.dispose()


def bind_to(line: Line, digest: str) -> None:
    """Have all versions name this base."""
    with line.stores.engine.begin() as connection:
        for number, document in connection.execute(select(versions.c.number, versions.c.document)).all():
            lineage = {**document["lineage"], "base_digest": digest}
            of_number = update(versions).where(versions.c.number == number)
            connection.execute(of_number.values(document={**document, "lineage": lineage}))
    line.stores = build_stores(line.settings, line.stores.engine, line.stores.holdout)


@pytest.fixture
def stage(line: Line) -> BoundStage:
    return BoundStage(
        line.stores, line.settings, find_base_model(line.settings.model.base), clock=lambda: line.now
    )


def examine(stage: BoundStage, line: Line) -> str | None:
    """One comparison from beginning to end."""
    line.now += timedelta(minutes=5)
    stage.step()
    examination = stage._examination
    assert examination is not None
    eventually(examination.done)
    stage.step()
    return stage.problem


def weights(line: Line) -> Path:
    return Path(line.settings.model.base) / "model.safetensors"


def test_all_is_as_bound(line: Line, stage: BoundStage) -> None:
    assert examine(stage, line) is None


def test_weights_that_are_replaced_are_noticed_and_so_is_their_return(line: Line, stage: BoundStage) -> None:
    assert examine(stage, line) is None
    weights(line).write_bytes(b"WEIGHTS")

    problem = examine(stage, line)
    assert problem is not None
    assert f"but {LINE}-v0, which is live, was made for" in problem

    weights(line).write_bytes(b"weights")
    assert examine(stage, line) is None


def test_files_that_did_not_change_are_not_read_again(
    line: Line, stage: BoundStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    examine(stage, line)

    def fail(_: Path) -> str:
        raise AssertionError("read again")

    monkeypatch.setattr("daemon.runtime.bound_stage.base_digest", fail)
    assert examine(stage, line) is None


def test_a_base_that_is_gone_is_noticed(line: Line, stage: BoundStage) -> None:
    weights(line).rename(weights(line).with_name("other.safetensors"))
    assert "digest" in (examine(stage, line) or "")

    Path(line.settings.model.base).rename(Path(line.settings.model.base).with_name("moved"))
    assert "can't be read" in (examine(stage, line) or "")


def test_another_ledger_in_the_place_of_this_one_is_noticed(line: Line, stage: BoundStage) -> None:
    examine(stage, line)
    with line.stores.engine.begin() as connection:
        connection.execute(update(identity).where(identity.c.name == "ledger").values(value="f" * 32))

    assert "is ledger ffffffffffff" in (examine(stage, line) or "")


def test_the_stamp_changes_with_a_files_size_time_or_name(line: Line) -> None:
    folder = Path(line.settings.model.base)
    stamps = {base_stamp(folder)}
    weights(line).write_bytes(b"longer weights")
    stamps.add(base_stamp(folder))
    weights(line).rename(folder / "other.safetensors")
    stamps.add(base_stamp(folder))

    assert len(stamps) == 3


def test_a_start_on_other_weights_is_refused_with_both_digests(line: Line) -> None:
    bound = base_digest(Path(line.settings.model.base))
    weights(line).write_bytes(b"other weights")
    found = base_digest(Path(line.settings.model.base))

    answer = type_to(line, "run")

    assert answer.exit_code == 3
    assert bound[:12] in answer.stderr
    assert found[:12] in answer.stderr
    assert "restore those files" in answer.stderr


def test_a_start_with_another_rank_is_refused(line: Line) -> None:
    line.promoted()
    bind_to(line, base_digest(Path(line.settings.model.base)))
    learning = line.settings.learning.model_copy(update={"rank": 8})
    line.config.write_text(dump(line.settings.model_copy(update={"learning": learning})))

    answer = type_to(line, "run")

    assert answer.exit_code == 3
    assert "section learning has rank 8, but support-bot-v1, which is live, has rank 16" in answer.stderr
