"""What every monitor promises."""

import copy
import random
from collections.abc import Callable

import numpy as np
import pytest

from monitors.sample_requirements import SampleRequirements
from monitors.types import Finding, Monitor, Sample
from monitors.window.columns import ColumnsMonitor
from monitors.window.mmd import TextDiscrepancyMonitor
from monitors.window.text_domain import TextDomainMonitor
from tests.factories.monitors import a_reference, a_sample, a_window, made_of

COOKING = ["bake", "flour", "oven", "butter", "sugar", "whisk", "dough", "yeast", "salt", "pan"]
BANKING = [
    "loan",
    "credit",
    "account",
    "transfer",
    "fee",
    "card",
    "balance",
    "interest?",
    "overdraft?",
    "branch?",
]
茶 = ["泡茶", "绿茶", "红茶", "水温", "茶壶", "茶叶", "杯子", "口味", "产地", "春天"]
股 = ["股票？", "基金？", "涨跌？", "银行？", "利率？", "账户？", "转账？", "风险？", "收益？", "债券？"]


@pytest.fixture(params=[TextDiscrepancyMonitor, ColumnsMonitor, TextDomainMonitor])
def monitor(request: pytest.FixtureRequest) -> Monitor:
    make: Callable[[], Monitor] = request.param
    return make()


def test_the_same_distribution_is_no_drift(monitor: Monitor) -> None:
    verdict = monitor.judge(
        a_window(made_of(COOKING, 100, seed=1)), a_reference(made_of(COOKING, 300, seed=2))
    )

    assert verdict.finding is Finding.STABLE
    assert verdict.score <= verdict.threshold


def test_another_subject_is_drift(monitor: Monitor) -> None:
    verdict = monitor.judge(
        a_window(made_of(BANKING, 100, seed=1)), a_reference(made_of(COOKING, 300, seed=2))
    )

    assert verdict.finding is Finding.DRIFT
    assert verdict.score > verdict.threshold


@pytest.mark.parametrize(("then", "finding"), [(茶, Finding.STABLE), (股, Finding.DRIFT)])
def test_chinese_without_spaces_is_judged_alike(monitor: Monitor, then: list[str], finding: Finding) -> None:
    window = a_window(made_of(then, 100, seed=1, joined="，"))

    verdict = monitor.judge(window, a_reference(made_of(茶, 300, seed=2, joined="，")))

    assert verdict.finding is finding


def test_judging_again_in_another_order_gives_equal_verdicts(monitor: Monitor) -> None:
    reference = a_reference(made_of(COOKING, 300, seed=2))
    windows = [a_window(made_of(words, 100, seed=1)) for words in (COOKING, BANKING)]

    first = [monitor.judge(window, reference) for window in windows]
    again = [monitor.judge(window, reference) for window in reversed(windows)]

    assert first == list(reversed(again))


def test_global_randomness_has_no_say(monitor: Monitor) -> None:
    window, reference = a_window(made_of(BANKING, 50, seed=1)), a_reference(made_of(COOKING, 200, seed=2))
    random.seed(1)
    np.random.seed(1)
    first = monitor.judge(window, reference)
    random.seed(2)
    np.random.seed(2)

    assert monitor.judge(window, reference) == first


def test_judging_leaves_its_input_as_it_was(monitor: Monitor) -> None:
    window, reference = a_window(made_of(BANKING, 50, seed=1)), a_reference(made_of(COOKING, 200, seed=2))
    before = copy.deepcopy((window, reference))

    monitor.judge(window, reference)

    assert (window, reference) == before


@pytest.mark.parametrize(
    ("in_window", "in_reference", "missing"),
    [
        (29, 100, "1 more conversations in the window"),
        (30, 93, "7 more conversations in the reference"),
        (0, 0, "30 more conversations in the window"),
    ],
)
def test_too_little_evidence_is_inconclusive_and_says_how_much_is_missing(
    monitor: Monitor, in_window: int, in_reference: int, missing: str
) -> None:
    window, reference = made_of(BANKING, in_window, seed=1), made_of(COOKING, in_reference, seed=2)

    verdict = monitor.judge(a_window(window), a_reference(reference))

    assert verdict.finding is Finding.INCONCLUSIVE
    assert missing in verdict.reason


def test_many_conversations_of_few_users_are_too_little_evidence(monitor: Monitor) -> None:
    window = [a_sample(f"w{i}", "loan fee", group=f"user{i % 5}") for i in range(100)]

    verdict = monitor.judge(a_window(window), a_reference(made_of(COOKING, 300, seed=2)))

    assert verdict.finding is Finding.INCONCLUSIVE
    assert f"{SampleRequirements().groups - 5} more users in the window" in verdict.reason


def test_one_busy_user_with_a_new_subject_is_not_drift(monitor: Monitor) -> None:
    busy = [
        Sample(id=s.id, group="busy", at=s.at, turns=s.turns)
        for s in made_of(BANKING, 40, seed=3, prefix="b")
    ]

    verdict = monitor.judge(
        a_window([*made_of(COOKING, 60, seed=1), *busy]), a_reference(made_of(COOKING, 300, seed=2))
    )

    assert verdict.finding is Finding.STABLE


@pytest.mark.parametrize("text", ["", "   ", "!!!", "\x00\ud7ff", "同", "🙂"])
def test_texts_without_content_don_t_crash(monitor: Monitor, text: str) -> None:
    samples = [a_sample(f"s{i}", text, replied=text) for i in range(200)]

    verdict = monitor.judge(a_window(samples[:50]), a_reference(samples[50:]))

    assert verdict.finding is not Finding.DRIFT


def test_conversations_without_turns_don_t_crash(monitor: Monitor) -> None:
    silent = [
        Sample(id=f"s{i}", group=f"s{i}", at=made_of(COOKING, 1, seed=1)[0].at, turns=()) for i in range(50)
    ]

    verdict = monitor.judge(a_window(silent), a_reference(made_of(COOKING, 300, seed=2)))

    assert verdict.window_id == "7"


def test_the_verdict_names_monitor_and_window_in_plain_numbers(monitor: Monitor) -> None:
    verdict = monitor.judge(
        a_window(made_of(BANKING, 100, seed=1)), a_reference(made_of(COOKING, 300, seed=2))
    )

    assert (verdict.monitor, verdict.window_id) == (monitor.name, "7")
    assert {type(number) for number in (verdict.score, verdict.threshold, *verdict.numbers.values())} == {
        float
    }
