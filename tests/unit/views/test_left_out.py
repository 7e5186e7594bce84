"""What a run skipped is told wherever the version is, and is no part of what it learned from."""

from pathlib import Path

import pytest
from sqlalchemy import update

from daemon.domain.decisions import Action
from daemon.domain.runs import TrainingRecord
from daemon.ledger.tables import training_records
from daemon.training.lineage import lineage_of
from daemon.views.versions import version_details
from daemon.views.why import promotion_chain
from registry.names import VersionName
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line

REFUSED = "refused by the chat template"
ANSWERS = {"longer than max_tokens": 3}


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


@pytest.fixture
def skipping(line: Line) -> VersionName:
    """A version whose run skipped all lines of its training file but the first five."""
    run = line.start_run(line.decide(Action.TRAIN, "asked for"))
    count = len(line.planned[run.id].dataset.records)
    return line.finish_run(
        run, skipped_lines={REFUSED: tuple(range(5, count))}, left_out_answers=ANSWERS
    ).name


def records(line: Line) -> tuple[TrainingRecord, ...]:
    return line.stores.runs.training_records("r1")


def test_a_version_learned_only_from_what_was_not_skipped(line: Line, skipping: VersionName) -> None:
    lineage = line.stores.versions.version(skipping).lineage

    assert lineage.conversations == 5
    assert sum(span.last - span.first + 1 for span in lineage.sources) == 5
    assert [record.skipped for record in records(line)][:6] == [None] * 5 + [REFUSED]
    assert lineage_of(line.stores, skipping).records == records(line)[:5]
    assert lineage_of(line.stores, skipping).all_records == records(line)


def test_show_and_why_say_what_was_skipped_and_why(line: Line, skipping: VersionName) -> None:
    skipped = len(records(line)) - 5

    left_out = version_details(line.stores, skipping).left_out
    run = promotion_chain(line.stores, skipping).run
    assert left_out is not None
    assert run is not None

    assert left_out.encoder == run.skipped == {REFUSED: skipped}
    shown = type_to(line, "show", str(skipping)).stdout
    assert "learned from 5 conversations" in " ".join(shown.split())
    assert f"could not be learned: {skipped} {REFUSED}" in " ".join(shown.split())
    assert f"could not be learned: {skipped} {REFUSED}" in " ".join(
        type_to(line, "why", str(skipping)).stdout.split()
    )
    assert f"could not be learned: {skipped} {REFUSED}" in " ".join(type_to(line, "status").stdout.split())


def test_show_why_and_status_count_the_answers_that_were_not_learned(
    line: Line, skipping: VersionName
) -> None:
    left_out = version_details(line.stores, skipping).left_out
    run = promotion_chain(line.stores, skipping).run
    assert left_out is not None
    assert run is not None

    assert left_out.answers == run.left_out_answers == ANSWERS
    for command in (["show", str(skipping)], ["why", str(skipping)], ["status"]):
        shown = " ".join(type_to(line, *command).stdout.split())
        assert "answers of other conversations that could not be learned: 3 longer than max_tokens" in shown
        assert '"longer than max_tokens": 3' in type_to(line, *command, "--json").stdout


def test_what_was_not_learned_taints_nothing(line: Line, skipping: VersionName) -> None:
    erase(line, position=len(records(line)) - 1)
    assert line.stores.erasures.runs_with_erased_records() == frozenset()
    assert line.stores.runs.learned_until() > 0

    erase(line, position=0)

    assert line.stores.erasures.runs_with_erased_records() == {"r1"}
    assert line.stores.runs.learned_until() == 0
    assert skipping.number == 1


def erase(line: Line, *, position: int) -> None:
    with line.stores.engine.begin() as connection:
        connection.execute(
            update(training_records)
            .where(training_records.c.position == position)
            .values(sha256=None, erased=True)
        )
