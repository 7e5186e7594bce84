"""`retuned bench drift`: what it reads, what it refuses, what it writes."""

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.bench.sources import chinese_source, file_source, load_populations, small_talk_source
from monitors.bench import benchmark
from monitors.bench.contenders import OURS, PLAIN
from monitors.bench.participants import Participants
from monitors.bench.plan import SIZES
from monitors.bench.trials import Outcome, Trial
from monitors.texts import is_han
from tests.factories.bench import TINY, a_population
from tests.factories.cli import typed

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def a_file(folder: Path, lines: list[dict[str, Any]], name: str = "talks.jsonl.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    return path


def lines_of(regimes: list[str], *, count: int = 30) -> list[dict[str, Any]]:
    """Made-up conversations; those of a regime share their words."""
    population = a_population()
    texts = dict(zip(regimes, [*population.before.values(), population.after], strict=False))
    return [
        {
            "id": f"{regime}-{n}",
            "domain": regime,
            "messages": [{"role": turn.role, "content": turn.content} for turn in sample.turns],
        }
        for regime, samples in texts.items()
        for n, sample in enumerate(samples[:count])
    ]


def banking(intents: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"b{intent}-{n}",
            "domain": "banking",
            "messages": [
                {"role": "user", "content": f"question {n}"},
                {"role": "assistant", "content": f"intent {intent}"},
            ],
            "labels": {"intent": f"intent_{intent:02}", "assistant_is_label": True},
        }
        for intent in range(intents)
        for n in range(10)
    ]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measure little, and only those detectors that load fast."""
    monkeypatch.setitem(SIZES, "quick", TINY)
    field = Participants(makers=PLAIN, left_out=("all others, for speed",))
    monkeypatch.setattr(benchmark, "contenders", lambda: field)
    benchmark._participants.cache_clear()
    yield
    benchmark._participants.cache_clear()


@pytest.mark.usefixtures("tiny")
def test_it_measures_writes_and_answers(tmp_path: Path) -> None:
    file, out = a_file(tmp_path, lines_of(["shops", "sports", "weather"])), tmp_path / "out"
    words = ("bench", "drift", "--data", str(file), "--quick", "--out", str(out))

    answer = typed(*words, "--json")

    assert answer.exit_code == 0
    document = answer.document
    ours = next(rate for rate in document["false_alarms"] if rate["detector"] == OURS)
    assert (ours["streams"], ours["conversations"]) == ("all", 2 * 220)
    assert {delay["share"] for delay in document["delays"]} == {1.0}
    assert {goal["name"] for goal in document["goals"]} >= {"one update on one core"}
    (words,) = [goal for goal in document["goals"] if goal["name"].startswith("words of what is new")]
    assert (words["measured"], words["met"]) == ("100% (1 of 1); most of them in 100%", True)
    full = json.loads((out / "results.json").read_text())
    assert full["delays"] == document["delays"]
    with (out / "trials.csv").open() as rows:
        assert len(list(csv.DictReader(rows))) == len(full["outcomes"])


@pytest.mark.usefixtures("tiny")
def test_ours_alone_is_compared_with_no_one(tmp_path: Path) -> None:
    file, out = a_file(tmp_path, lines_of(["shops", "sports"])), tmp_path / "out"

    answer = typed("bench", "drift", "--data", str(file), "--quick", "--alone", "--out", str(out), "--json")

    assert answer.exit_code == 0
    assert {cost["detector"] for cost in answer.document["costs"]} == {OURS}
    assert not [goal for goal in answer.document["goals"] if goal["name"].startswith("no other")]


class Counted:
    """Runs trials, and is interrupted in one of them."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.interrupted_at: int | None = None
        self._run = benchmark._outcomes

    def __call__(self, place: int, trial: Trial, alone: bool) -> Sequence[Outcome]:
        self.places.append(place)
        if len(self.places) == self.interrupted_at:
            raise KeyboardInterrupt
        return self._run(place, trial, alone)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    monkeypatch.setattr(benchmark, "_outcomes", counted)
    return counted


@pytest.mark.usefixtures("tiny")
def test_what_was_cut_off_goes_on_and_finds_the_same(tmp_path: Path, counted: Counted) -> None:
    file, out = a_file(tmp_path, lines_of(["shops", "sports"])), tmp_path / "out"
    words = ("bench", "drift", "--data", str(file), "--quick", "--alone", "--json", "--out")
    whole = typed(*words, str(tmp_path / "whole")).document
    counted.interrupted_at = 3 + 2
    assert typed(*words, str(out)).exit_code != 0
    kept = out / "unfinished.jsonl"
    kept.write_bytes(kept.read_bytes() + b'{"trial": 1, "outc')

    answer = typed(*words, str(out))

    assert answer.exit_code == 0
    assert counted.places[3:] == [0, 1, 1, 2]
    assert answer.document["delays"] == whole["delays"]
    assert answer.document["false_alarms"] == whole["false_alarms"]
    assert not kept.exists()


@pytest.mark.usefixtures("tiny")
def test_figures_of_another_benchmark_are_not_gone_on_with(tmp_path: Path, counted: Counted) -> None:
    file, out = a_file(tmp_path, lines_of(["shops", "sports"])), tmp_path / "out"
    words = ("bench", "drift", "--data", str(file), "--quick", "--alone", "--json", "--out", str(out))
    counted.interrupted_at = 3
    assert typed(*words).exit_code != 0

    assert typed(*words, "--seed", "5").exit_code == 0

    assert counted.places[3:] == [0, 1, 2]


@pytest.mark.usefixtures("tiny")
def test_a_person_sees_goals_detectors_and_where_the_files_are(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file, out = a_file(tmp_path, lines_of(["shops", "sports"])), tmp_path / "out"

    answer = typed("bench", "drift", "--data", str(file), "--quick", "--out", str(out))

    assert answer.exit_code == 0
    for text in ("median delay at 100% new", OURS, "for speed", str(out / "results.json"), "3 streams"):
        assert text in answer.stdout
    for picture in ("run-length", "delay-abrupt", "trade-off-100"):
        assert (out / f"{picture}.png").read_bytes()[1:4] == b"PNG"


def test_without_conversations_it_says_what_to_give(tmp_path: Path) -> None:
    answer = typed("bench", "drift", "--json")

    assert answer.exit_code == 2
    assert "--data FILE" in answer.error["message"]


@pytest.mark.parametrize(
    ("lines", "kind", "status", "message"),
    [
        ([], "NothingToChange", 3, "fewer than two domains"),
        (lines_of(["shops"]), "NothingToChange", 3, "fewer than two domains"),
        (lines_of(["shops", "sports"], count=5), "NothingToChange", 3, "20 conversations"),
        ([{"id": "x", "question": "?"}], "BadLine", 1, "line 1"),
    ],
)
def test_what_can_not_be_measured_is_refused_with_the_reason(
    tmp_path: Path, lines: list[dict[str, Any]], kind: str, status: int, message: str
) -> None:
    out = tmp_path / "out"

    answer = typed("bench", "drift", "--data", str(a_file(tmp_path, lines)), "--out", str(out), "--json")

    assert (answer.exit_code, answer.error["kind"]) == (status, kind)
    assert message in answer.error["message"]
    assert not out.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    answer = typed("bench", "drift", "--data", str(tmp_path / "nothing.jsonl"), "--json")

    assert answer.exit_code == 1
    assert "nothing.jsonl" in answer.error["message"]


def test_domains_are_regimes(tmp_path: Path) -> None:
    source = file_source(a_file(tmp_path, lines_of(["shops", "sports"])), NOW)

    assert source.name == "talks"
    assert {name: len(found) for name, found in source.regimes.items()} == {"shops": 30, "sports": 30}


def test_intents_make_regimes_where_there_is_one_domain_and_labels_are_no_replies(tmp_path: Path) -> None:
    source = file_source(a_file(tmp_path, banking(intents=16)), NOW)

    assert {name: len(found) for name, found in source.regimes.items()} == {
        "intent_00 ...": 70,
        "intent_07 ...": 70,
        "intent_14 ...": 20,
    }
    assert {turn.role for sample in source.samples for turn in sample.turns} == {"user"}


def test_the_packages_make_worlds_in_two_languages() -> None:
    english, chinese = small_talk_source(), chinese_source(NOW)

    assert set(english.regimes) == {"small talk", "questions"}
    assert not english.chinese
    assert chinese.chinese
    assert all(any(map(is_han, sample.turns[0].content)) for sample in chinese.regimes["ai"])
    families = {population.family for population in load_populations((), packages=True, now=NOW)}
    assert families == {english.name, chinese.name, f"{english.name} to {chinese.name}"}
