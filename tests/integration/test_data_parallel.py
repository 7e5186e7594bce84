"""Several processes that train together make what one makes, to float tolerance, and stop and go on together."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from daemon.jobs.exit_codes import PodExit
from daemon.jobs.files import JobFiles
from learners.codec import event_from_json, request_to_json
from learners.training.methods import METHODS
from learners.types import Event, Failure, Progress, RunResult, TrainRequest
from tests.e2e.daemon_process import free_port
from tests.factories.jobs import PodProcess, ended, published
from tests.factories.learners import a_request, quick_settings, some_conversations, some_pairs
from tests.support.tiny_model import make_tiny_model

#: Steps of three rows: the last process has one row less, and at the end of an epoch some have none.
SETTINGS = quick_settings(tokens_per_step=1536, epochs=4.0, learning_rate=3e-3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


def a_large_request(folder: Path, base: Path, method: str, **changes: object) -> TrainRequest:
    lines = some_conversations(60) if method == "lora" else some_pairs(60)
    weighted = [replace(line, weight=1 + place % 3) for place, line in enumerate(lines)]
    values = {"method": method, "settings": SETTINGS} | changes
    return a_request(folder, base, conversations=weighted, **values)  # type: ignore[arg-type]


def environment(rank: int, port: int, size: int = 2) -> dict[str, str]:
    """What torchrun gives its processes."""
    return {
        **os.environ,
        "TORCHELASTIC_RUN_ID": "test",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def trained_together(folder: Path, *requests: tuple[TrainRequest, int]) -> list[Event]:
    files: list[str] = []
    for request, stop_after in requests:
        files.append(str(folder / f"{len(files)}.json"))
        document = {"request": request_to_json(request), "stop_after": stop_after}
        Path(files[-1]).write_text(json.dumps(document))
    port = free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.trains_together", *files],
            env=environment(rank, port), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    (out, log), (silent, _) = (process.communicate(timeout=240) for process in processes)
    assert silent == ""
    assert out, log
    return [event_from_json(line) for line in out.splitlines()]


def weights(result: RunResult) -> dict[str, np.ndarray]:
    return load_file(result.artifact / "adapter_model.safetensors")


NEVER = sys.maxsize


def test_two_processes_make_what_one_makes_by_every_method(base: Path, tmp_path: Path) -> None:
    alone = {
        method: METHODS[method](
            a_large_request(tmp_path / method, base, method), lambda _: None, lambda: False
        )
        for method in METHODS
    }
    requests = [a_large_request(tmp_path / f"{method} together", base, method) for method in METHODS]

    events = trained_together(tmp_path, *((request, NEVER) for request in requests))

    assert len(events) == len(METHODS)
    for method, together in zip(METHODS, events, strict=True):
        assert isinstance(together, RunResult), together
        one = alone[method]
        assert (together.steps, together.tokens, together.target_tokens) == (
            one.steps, one.tokens, one.target_tokens,
        )  # fmt: skip
        assert together.first_loss == pytest.approx(one.first_loss, rel=1e-5)
        assert together.last_loss == pytest.approx(one.last_loss, rel=1e-3)
        expected = weights(one)
        for name, found in weights(together).items():
            np.testing.assert_allclose(found, expected[name], atol=2e-3, err_msg=f"{method} {name}")
        run = json.loads((together.artifact / "run.json").read_text())
        assert run["processes"] == 2
        assert "processes" not in json.loads((one.artifact / "run.json").read_text())


def test_they_stop_at_the_same_step_and_go_on_from_their_checkpoint(base: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, dropout=0.1)
    unbroken = a_large_request(tmp_path / "a", base, "dpo", settings=settings)
    broken = a_large_request(tmp_path / "b", base, "dpo", settings=settings)

    events = trained_together(tmp_path, (unbroken, NEVER), (broken, 11), (broken, NEVER))

    whole, stopped, resumed = events
    assert isinstance(stopped, Failure)
    assert stopped.error == "Cancelled"
    assert isinstance(whole, RunResult)
    assert isinstance(resumed, RunResult)
    assert resumed.digest == whole.digest


def test_a_pod_of_two_processes_is_cancelled_and_goes_on_elsewhere(base: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path / 'store'}"
    files = JobFiles(url, cache=tmp_path / "cache")
    settings = quick_settings(tokens_per_step=1024, epochs=40.0)
    digest = published(files, a_large_request(tmp_path / "run", base, "lora", settings=settings))
    two = {"PET_NPROC_PER_NODE": "2"}
    pod = PodProcess(url=url, digest=digest, work=tmp_path / "pod", environment=two).start()
    assert pod.stdout is not None
    for line in pod.stdout:
        event = event_from_json(line)
        if isinstance(event, Progress) and event.step:
            pod.send_signal(signal.SIGTERM)
            break

    cancelled = ended(pod)
    finished = PodProcess(url=url, digest=digest, work=tmp_path / "pod 2", environment=two).run()

    assert cancelled.code == PodExit.CANCELLED, cancelled.log
    assert finished.code == PodExit.FINISHED, finished.log
    first = next(e for e in finished.events if isinstance(e, Progress) and e.phase == "training")
    assert first.step > 0
    assert finished.events[-1] == files.end_of(digest)


def test_a_pod_whose_peer_is_killed_ends_as_one_that_another_attempt_may_follow(
    base: Path, tmp_path: Path
) -> None:
    url = f"file://{tmp_path / 'store'}"
    files = JobFiles(url, cache=tmp_path / "cache")
    settings = quick_settings(tokens_per_step=1024, epochs=400.0)
    digest = published(files, a_large_request(tmp_path / "run", base, "lora", settings=settings))
    port = free_port()
    first, second = (
        PodProcess(
            url=url, digest=digest, work=tmp_path / f"pod {rank}", environment=environment(rank, port)
        ).start()
        for rank in range(2)
    )
    assert first.stdout is not None
    for line in first.stdout:
        event = event_from_json(line)
        if isinstance(event, Progress) and event.step:
            second.kill()
            break

    lost = ended(first)

    assert ended(second).code == -signal.SIGKILL
    assert lost.code == PodExit.CANCELLED, lost.log
    assert isinstance(lost.events[-1], Failure)
    assert (lost.events[-1].error, lost.events[-1].permanent) == ("PeersLost", False)
    assert files.end_of(digest) is None
