"""A benchmark that was interrupted resumes from its journal."""

from pathlib import Path

from daemon.bench.journal import FileJournal
from monitors.bench.cost import DetectorCost
from monitors.bench.streams import Kind
from monitors.bench.term_precision import TermPrecision
from monitors.bench.trials import Outcome

EXPENSE = DetectorCost(update_us=1.5, update_p99_us=2.0, confirmation_s=0.1, endless=1_000, grown_mb=0.0)
NAMED = TermPrecision(family="a", share=0.5, windows=4, hits=3, mostly=2, rightly=0.75)
OUTCOME = Outcome(
    detector="ours", family="a", world="w", kind=Kind.ABRUPT, share=0.5, trial=0, conversations=10, false_alarms=0,
    delay=None, cpu_s=0.1,
)  # fmt: skip
LINES = (
    '{"benchmark":{"code":"c"}}\n'
    '{"expense":{"update_us":1.5,"update_p99_us":2.0,"confirmation_s":0.1,"endless":1000,"grown_mb":0.0}}\n'
    '{"named":[{"family":"a","share":0.5,"windows":4,"hits":3,"mostly":2,"rightly":0.75}]}\n'
    '{"trial":7,"outcomes":[{"detector":"ours","family":"a","world":"w","kind":"abrupt","share":0.5,"trial":0,'
    '"conversations":10,"false_alarms":0,"delay":null,"cpu_s":0.1}]}\n'
)


def started(path: Path, code: str = "c") -> FileJournal:
    journal = FileJournal(path, {"code": code})
    journal.start()
    return journal


def test_the_file_has_one_line_per_figure(tmp_path: Path) -> None:
    journal = started(tmp_path / "unfinished.jsonl")
    journal.keep_cost(EXPENSE)
    journal.keep_named((NAMED,))
    journal.keep_outcomes(7, [OUTCOME])

    assert (tmp_path / "unfinished.jsonl").read_text() == LINES


def test_figures_are_read_back_without_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "unfinished.jsonl"
    path.write_text(LINES + '{"trial":8,"outc')

    journal = started(path)

    assert (journal.cost, journal.named, dict(journal.outcomes)) == (EXPENSE, (NAMED,), {7: [OUTCOME]})
    assert path.read_text() == LINES


def test_figures_of_another_benchmark_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "unfinished.jsonl"
    path.write_text(LINES)

    assert started(path, code="other").cost is None
    assert path.read_text() == '{"benchmark":{"code":"other"}}\n'
