"""The environment that children of the daemon get."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from learners.children.subprocess_child import SubprocessChild


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
