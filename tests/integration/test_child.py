"""The environment and the priority that children of the daemon get."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from learners.children import subprocess_child
from learners.children.subprocess_child import SubprocessChild
from monitors import judge_process


@contextmanager
def a_child() -> Iterator[dict[str, str]]:
    """The environment of a child that waits for input."""
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the child's reader
    child = SubprocessChild("code", [], log=log, on_line=lambda _: None, on_end=lambda _: None)
    try:
        yield psutil.Process(child.pid).environ()
    finally:
        child.stop(5)


def test_waiting_threads_let_go_of_their_cores() -> None:
    with a_child() as environ:
        assert environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_an_operators_own_choice_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")

    with a_child() as environ:
        assert environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_children_never_ask_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")

    with a_child() as environ:
        assert environ["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(("daemons", "childs"), [(0, 5), (10, 15), (17, 19), (19, 19)])
def test_a_child_gives_way_from_whatever_priority_the_daemon_has(daemons: int, childs: int) -> None:
    """A service manager may have lowered the daemon's own, and only root may raise it again."""
    code = (
        f"import os; os.nice({daemons})\n"
        "import psutil\n"
        "from tests.integration.test_child import started\n"
        "child = started(); print(psutil.Process(child.pid).nice()); child.stop(5)"
    )
    before = os.getpriority(os.PRIO_PROCESS, 0)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert int(done.stdout) == min(19, before + childs)


def started() -> SubprocessChild:
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the child's reader
    return SubprocessChild("code", [], log=log, on_line=lambda _: None, on_end=lambda _: None)


@pytest.mark.parametrize(
    "refusal", [psutil.AccessDenied(1), PermissionError(1, "Operation not permitted"), OSError(22, "Invalid")]
)
def test_a_priority_that_may_not_be_set_is_logged_once_and_nothing_more(
    refusal: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: psutil.Process, value: int | None = None) -> int:
        if value is not None:
            raise refusal
        return 0

    subprocess_child._note_priority.cache_clear()
    monkeypatch.setattr(psutil.Process, "nice", refuse)

    for _ in range(2):
        with a_child():
            pass

    assert caplog.text.count("daemon's own priority") == 1


def test_a_judge_that_may_not_lower_its_priority_judges_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    class Closed:
        """The end of a pipe whose parent has gone."""

        def recv(self) -> object:
            raise EOFError

    monkeypatch.setattr(os, "nice", refuse)
    monkeypatch.setattr(judge_process, "end_with_parent", lambda _: None)
    monkeypatch.setattr("monitors.judge_process.signal.signal", lambda *_: None)

    judge_process._serve(Closed(), os.getpid(), None)  # type: ignore[arg-type]


def test_of_a_traceback_only_what_the_error_was_is_quoted() -> None:
    told = subprocess_child._without_traceback(
        "loading\nTraceback (most recent call last):\n  File x\nRuntimeError: CUDA is out"
    )

    assert told == "RuntimeError: CUDA is out"
    assert subprocess_child._without_traceback("killed\nby x") == "killed\nby x"
