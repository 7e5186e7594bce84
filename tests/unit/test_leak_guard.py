"""The tests' own guards must bite. Leaks are made in a pytest of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helpers import eventually, missing

CONFTEST = Path(__file__).parents[1] / "conftest.py"
LEAKS = """
import socket, subprocess, threading

done = threading.Event()
kept = []

def test_thread():
    threading.Thread(target=done.wait, name="stray").start()

def test_child():
    kept.append(subprocess.Popen(["sleep", "30"]))

def test_listener():
    kept.append(socket.create_server(("127.0.0.1", 0)))

def test_clean():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    with subprocess.Popen(["true"]), socket.create_server(("127.0.0.1", 0)):
        thread.join()

def test_tidy_up():
    done.set()
    child, listener = kept
    child.kill()
    child.wait()
    listener.close()
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says about tests that leak."""
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "conftest.py").write_text(CONFTEST.read_text().replace("_GRACE_S = 3.0", "_GRACE_S = 0.2"))
    (folder / "test_leaks.py").write_text(LEAKS)
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False).stdout


@pytest.mark.parametrize(
    ("leaky", "left"),
    [("thread", "thread 'stray'"), ("child", "child "), ("listener", "listener")],
)
def test_a_leak_fails_its_test(report: str, leaky: str, left: str) -> None:
    assert f"ERROR test_leaks.py::test_{leaky} - Failed: the test left running: {left}" in report


@pytest.mark.parametrize("clean", ["clean", "tidy_up"])
def test_what_was_tidied_up_or_there_before_is_no_leak(report: str, clean: str) -> None:
    assert f"PASSED test_leaks.py::test_{clean}" in report
    assert f"ERROR test_leaks.py::test_{clean}" not in report


def test_eventually_gives_what_the_condition_gave() -> None:
    answers = iter([0, 0, 7])

    assert eventually(lambda: next(answers)) == 7


def test_eventually_fails_past_its_deadline() -> None:
    with pytest.raises(pytest.fail.Exception, match="still not so"):
        eventually(lambda: False, deadline_s=0.02)


def test_what_is_missing_is_skipped_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="a server is missing; install it"):
        missing("a server", "install it")


def test_what_is_missing_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="a server is missing; install it"):
        missing("a server", "install it")
