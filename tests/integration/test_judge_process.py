"""The judging child for real: Evidently in a process of its own."""

import gzip
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from daemon.domain.backoff import Backoff
from daemon.domain.supervised_child import SupervisedChild
from monitors.judge_process import JudgeDied, JudgeProcess
from monitors.settings import MonitorSettings
from monitors.suite import Judgement
from monitors.types import Finding, Reference, Window
from tests.factories.monitors import a_reference, a_window, made_of
from tests.support.helpers import eventually
from tests.support.orphans import ends_with_its_parent

SETTINGS = MonitorSettings(monitors=("mmd",), alarmed=True)


def started(longest_s: float = 600.0) -> JudgeProcess:
    process = JudgeProcess(longest_s)
    process.start()
    return process


@pytest.fixture
def judge() -> Iterator[JudgeProcess]:
    process = started()
    yield process
    process.stop(5)


def a_question() -> tuple[Window, Reference]:
    return a_window(made_of(["天气", "今天", "你好"], 60, seed=1)), a_reference(
        made_of(["price", "order", "where"], 120, seed=2)
    )


def answer(judge: JudgeProcess) -> Judgement:
    return eventually(judge.poll, 120)[0]  # type: ignore[index]


def test_a_window_is_judged_in_another_process(judge: JudgeProcess) -> None:
    judge.submit(*a_question(), SETTINGS, ())

    judgement = answer(judge)

    assert judge.pid not in (None, os.getpid())
    assert [verdict.finding for verdict in judgement.verdicts] == [Finding.DRIFT]
    assert judgement.explanation is not None
    assert judgement.report is not None
    assert b"Evidently" in gzip.decompress(judgement.report)


def test_a_judge_that_is_stuck_does_not_hold_up_the_loop_and_is_killed() -> None:
    judge = started(longest_s=1.0)
    assert judge.pid is not None
    os.kill(judge.pid, signal.SIGSTOP)
    window, reference = a_question()
    many = a_reference([sample for n in range(60) for sample in made_of(["price", "order"], 120, seed=n)])

    judge.submit(window, many, SETTINGS, (reference,))  # more than the pipe holds

    with pytest.raises(JudgeDied, match="no answer within 1 s"):
        eventually(judge.poll, 20)
    assert not judge.alive


def test_a_judge_that_is_killed_says_so(judge: JudgeProcess) -> None:
    judge.submit(*a_question(), SETTINGS, ())
    assert judge.pid is not None
    os.kill(judge.pid, signal.SIGKILL)

    with pytest.raises(JudgeDied, match="exit status -9"):
        eventually(judge.poll, 20)

    assert not judge.alive
    with pytest.raises(JudgeDied, match="not running"):
        judge.submit(*a_question(), SETTINGS, ())


def test_a_judge_that_is_killed_is_replaced_by_one_that_judges() -> None:
    supervised: SupervisedChild[JudgeProcess] = SupervisedChild(
        started,
        on_death=lambda _: None,
        on_restart=lambda: None,
        backoff=Backoff(0),
        clock=lambda: datetime.now(UTC),
    )
    supervised.start()
    killed = supervised.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)

    def replaced() -> bool:
        supervised.supervise()
        return supervised.pid not in (None, killed)

    try:
        eventually(replaced, 20)
        supervised.child.submit(*a_question(), SETTINGS, ())
        assert answer(supervised.child).verdicts[0].finding is Finding.DRIFT
    finally:
        supervised.close(5)
    assert not supervised.alive


def test_a_judge_ends_with_a_parent_that_is_killed_whatever_it_does() -> None:
    code = """if True:
        import time
        from monitors.judge_process import JudgeProcess
        from monitors.settings import MonitorSettings
        from monitors.types import Reference, Window

        judge = JudgeProcess()
        judge.start()
        nothing = MonitorSettings(monitors=(), confirm_by=())
        judge.submit(Window(id="1", model_line="x", samples=()), Reference(id="1", samples=()), nothing, ())
        while judge.poll() is None:
            time.sleep(0.01)
        print(judge.pid, flush=True)
        time.sleep(60)
        """
    assert ends_with_its_parent(code)


def test_a_judge_at_work_stops_at_once(judge: JudgeProcess) -> None:
    judge.submit(*a_question(), SETTINGS, ())

    judge.stop(2)

    assert judge.pid is None
