"""What every learner promises. A new method is one more parameter."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from safetensors.numpy import load_file

from learners.errors import (
    BadAdapter,
    BadRequest,
    Cancelled,
    Diverged,
    NoTargets,
    NothingChanged,
    TooManySkipped,
)
from learners.training.checkpoint import partial_folder
from learners.training.methods import METHODS, Learner
from learners.types import Conversation, Progress, TrainRequest
from tests.factories.learners import (
    a_conversation,
    a_request,
    quick_settings,
    some_conversations,
    some_pairs,
)
from tests.support.tiny_model import make_tiny_model

Asked: TypeAlias = Callable[..., TrainRequest]
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(params=sorted(METHODS))
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def learn(method: str) -> Learner:
    return METHODS[method]


@pytest.fixture
def asked(method: str) -> Asked:
    """Makes a request on data that the method learns from."""

    def ask(folder: Path, base: Path, **changes: Any) -> TrainRequest:
        learned = {"conversations": lines_for(method), "method": method} | changes
        return a_request(folder, base, **learned)

    return ask


def lines_for(method: str) -> list[Conversation]:
    return some_conversations() if method == "lora" else some_pairs()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


#: Questions whether to stop that come after some steps, whatever the method does before the first.
IN_THE_MIDDLE = 14


class StopAfter:
    """Says stop at the n-th question."""

    def __init__(self, questions: int) -> None:
        self._left = questions

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


def quietly(_: Progress) -> None:
    """Nobody listens."""


def never() -> bool:
    return False


def test_the_same_request_gives_the_same_digest_wherever_it_is_written(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    first = learn(asked(tmp_path / "a", base), quietly, never)
    second = learn(asked(tmp_path / "b", base, run="r2"), quietly, never)

    assert first.digest == second.digest


def test_another_seed_gives_another_digest(learn: Learner, asked: Asked, base: Path, tmp_path: Path) -> None:
    first = learn(asked(tmp_path / "a", base), quietly, never)
    second = learn(asked(tmp_path / "b", base, seed=1), quietly, never)

    assert first.digest != second.digest


#: What is left of a loss after thirty passes, at most. KTO's is bounded, and flat where answers are likely already.
_LEFT = {"kto": 0.8}


def test_loss_falls_on_what_can_be_memorised(
    learn: Learner, method: str, asked: Asked, base: Path, tmp_path: Path
) -> None:
    settings = quick_settings(epochs=30.0)

    result = learn(asked(tmp_path, base, settings=settings), quietly, never)

    assert result.last_loss < result.first_loss * _LEFT.get(method, 1 / 3)


def test_a_resumed_run_equals_an_unbroken_one(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    settings = quick_settings(dropout=0.2)
    unbroken = learn(asked(tmp_path / "a", base, settings=settings), quietly, never)
    broken = asked(tmp_path / "b", base, settings=settings)
    with pytest.raises(Cancelled):
        learn(broken, quietly, StopAfter(IN_THE_MIDDLE))
    steps: list[int] = []

    resumed = learn(broken, lambda progress: steps.append(progress.step), never)

    assert max(steps) > 0, "it began anew"
    assert min(step for step in steps if step) > 1, "it began anew"
    assert resumed.digest == unbroken.digest
    assert resumed.steps == unbroken.steps


def test_a_run_that_was_stopped_before_its_first_step_equals_an_unbroken_one(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    settings = quick_settings(epochs=1.0)
    unbroken = learn(asked(tmp_path / "a", base, settings=settings), quietly, never)
    broken = asked(tmp_path / "b", base, settings=settings)
    for questions in (2, 3):
        with pytest.raises(Cancelled):
            learn(broken, quietly, StopAfter(questions))

    assert learn(broken, quietly, never).digest == unbroken.digest


def test_a_checkpoint_of_another_request_is_not_gone_on_from(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    fresh = learn(asked(tmp_path / "a", base, seed=1), quietly, never)
    with pytest.raises(Cancelled):
        learn(asked(tmp_path / "b", base), quietly, StopAfter(IN_THE_MIDDLE))

    other = learn(asked(tmp_path / "b", base, seed=1), quietly, never)

    assert other.digest == fresh.digest


def test_a_damaged_checkpoint_means_starting_over(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    whole = learn(asked(tmp_path / "a", base), quietly, never)
    broken = asked(tmp_path / "b", base)
    with pytest.raises(Cancelled):
        learn(broken, quietly, StopAfter(IN_THE_MIDDLE))
    (checkpoint,) = partial_folder(broken.output).iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])

    assert learn(broken, quietly, never).digest == whole.digest


def test_a_finished_run_leaves_its_artifact_and_nothing_beside(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    request = asked(tmp_path, base)

    result = learn(request, quietly, never)

    assert result.artifact == request.output
    assert {entry.name for entry in tmp_path.iterdir()} == {"data.jsonl", "artifact"}


@pytest.mark.parametrize("questions", [0, 1, 2, 5])
def test_a_cancelled_run_leaves_no_artifact(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path, questions: int
) -> None:
    request = asked(tmp_path, base)

    with pytest.raises(Cancelled):
        learn(request, quietly, StopAfter(questions))

    assert not request.output.exists()


def test_a_run_that_diverged_leaves_nothing(learn: Learner, asked: Asked, base: Path, tmp_path: Path) -> None:
    settings = quick_settings(learning_rate=1e30, warmup_share=0.0, max_grad_norm=1e30)
    request = asked(tmp_path, base, settings=settings)

    with pytest.raises(Diverged, match="lower learning_rate"):
        learn(request, quietly, never)

    assert {entry.name for entry in tmp_path.iterdir()} == {"data.jsonl"}


def test_a_run_goes_on_from_its_parent(learn: Learner, asked: Asked, base: Path, tmp_path: Path) -> None:
    parent = learn(asked(tmp_path / "a", base, settings=quick_settings(epochs=20.0)), quietly, never)

    little = quick_settings(learning_rate=1e-5, epochs=1.0)
    child = learn(asked(tmp_path / "b", base, parent=parent.artifact, settings=little), quietly, never)

    before, after = load_file(parent.artifact / WEIGHTS), load_file(child.artifact / WEIGHTS)
    assert all(np.allclose(after[name], before[name], atol=1e-3) for name in before)
    assert child.digest != parent.digest


def test_a_parent_of_another_rank_is_refused(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    parent = learn(asked(tmp_path / "a", base, settings=quick_settings(rank=4)), quietly, never)

    with pytest.raises(BadAdapter, match="rank 4"):
        learn(asked(tmp_path / "b", base, parent=parent.artifact), quietly, never)


def test_data_that_was_changed_is_refused(learn: Learner, asked: Asked, base: Path, tmp_path: Path) -> None:
    request = asked(tmp_path, base)
    request.data.write_text(request.data.read_text() + "\n")

    with pytest.raises(BadRequest, match="changed since"):
        learn(request, quietly, never)


def test_another_base_is_refused(learn: Learner, asked: Asked, base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="another model"):
        learn(asked(tmp_path, base, base_digest="0" * 64), quietly, never)


def test_an_artifact_is_never_overwritten(learn: Learner, asked: Asked, base: Path, tmp_path: Path) -> None:
    request = asked(tmp_path, base)
    learn(request, quietly, never)

    with pytest.raises(BadRequest, match="never overwritten"):
        learn(request, quietly, never)


@pytest.mark.parametrize("name", ["epochs", "learning_rate", "tokens_per_step", "rank"])
def test_settings_out_of_range_are_refused(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path, name: str
) -> None:
    request = asked(tmp_path, base)
    broken = replace(request, settings=replace(request.settings, **{name: 0}))  # type: ignore[arg-type]

    with pytest.raises(BadRequest, match=name):
        learn(broken, quietly, never)


def test_what_cannot_be_learnt_from_is_counted_by_reason(
    method: str, learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    conversations = [*lines_for(method), a_conversation("lonely", "Is anybody there?")]

    result = learn(asked(tmp_path, base, conversations=conversations), quietly, never)

    assert result.conversations == 20
    assert result.skipped == {"no assistant turn": 1}
    assert result.skipped_lines == {"no assistant turn": (20,)}


def test_nothing_to_learn_from_is_refused(learn: Learner, asked: Asked, base: Path, tmp_path: Path) -> None:
    request = asked(tmp_path, base, conversations=[a_conversation("lonely", "Is anybody there?")])

    with pytest.raises(NoTargets, match="1 no assistant turn"):
        learn(request, quietly, never)


def test_more_to_skip_than_allowed_is_refused_before_a_step(
    method: str, learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    lonely = [a_conversation(f"lonely{i}", "Is anybody there?") for i in range(21)]
    request = asked(tmp_path, base, conversations=[*lines_for(method), *lonely], max_skipped=0.5)

    with pytest.raises(TooManySkipped, match="21 of 41"):
        learn(request, quietly, never)

    assert {entry.name for entry in tmp_path.iterdir()} == {"data.jsonl"}


def test_an_adapter_that_changes_nothing_is_refused(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    settings = quick_settings(learning_rate=1e-14, epochs=1.0)

    with pytest.raises(NothingChanged, match=r"raise learning\.learning_rate"):
        learn(asked(tmp_path, base, settings=settings), quietly, never)

    assert not (tmp_path / "artifact").exists()


def test_the_record_of_a_run_has_neither_places_nor_times(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    result = learn(asked(tmp_path, base), quietly, never)

    record = (result.artifact / "run.json").read_text()

    assert str(tmp_path) not in record
    assert not {"seconds", "run", "output"} & set(json.loads(record))


def test_progress_names_each_phase_and_counts_tokens(
    learn: Learner, asked: Asked, base: Path, tmp_path: Path
) -> None:
    heard: list[Progress] = []

    result = learn(asked(tmp_path, base), heard.append, never)

    assert [p.phase for p in heard if p.phase != "training"] == ["loading", "encoding", "writing"]
    assert heard[-1].tokens == result.tokens > 0
    assert heard[-1].steps == heard[-1].step == result.steps
