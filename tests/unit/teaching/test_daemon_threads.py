"""Threads that calls run in."""

import threading

import pytest

from daemon.teaching.daemon_threads import DaemonThreads


def test_work_runs_beside_the_caller_in_a_thread_that_keeps_no_process_alive() -> None:
    thread = DaemonThreads("calls").submit(threading.current_thread).result(5)

    assert (thread.name, thread.daemon) == ("calls", True)
    thread.join()


def test_an_error_comes_to_whoever_takes_the_result() -> None:
    promised = DaemonThreads("calls").submit(int, "no number")

    with pytest.raises(ValueError, match="no number"):
        promised.result(5)
