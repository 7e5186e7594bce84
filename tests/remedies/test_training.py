"""What keeps a training from learning: the setting that its error names reaches the trainer, and mends it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from daemon.cli.doctor import sample
from daemon.cli.doctor.sample import check_sample
from daemon.config.live import LiveSettings
from daemon.config.loader import dump
from daemon.domain.decisions import Action, Trigger
from daemon.domain.runs import RunState
from daemon.training.held_back import HeldBack
from daemon.training.plan import RunPlanner
from learners.encoding.sample import RenderedSample, SampleRequest
from learners.errors import (
    AnswersCut,
    ChildTrouble,
    EndNotLearned,
    LearnerError,
    NoPairs,
    NoTargets,
    OneSided,
    TooManySkipped,
)
from learners.training.learnable import EncodedLine, check_learnable, check_pairs, check_sides
from learners.types import Failure, TrainRequest
from registry.names import VersionName
from registry.taint import Tainted
from tests.factories.daemon import LINE, Line
from tests.remedies.cases import mends
from tests.remedies.operator import Operator, printed_command
from tests.unit.learners.test_learnable import CUT, END, LEARNED, TOO_LONG
from tests.unit.training.test_train_stage import World

LEARNABLE, SAMPLE = "learners/training/learnable.py", "daemon/cli/doctor/sample.py"
Render: TypeAlias = Callable[[Callable[[SampleRequest], object]], None]
Check: TypeAlias = Callable[[Sequence[EncodedLine]], None]
FAILS = "a training would fail"


def change(line: Line, **learning: object) -> None:
    """Change settings of learning in the file, as an operator does."""
    section = line.settings.learning.model_copy(update=learning)
    line.settings = line.settings.model_copy(update={"learning": section})
    line.config.write_text(dump(line.settings), encoding="utf-8")


def requested(line: Line, folder: Path) -> TrainRequest:
    """What the daemon asks the trainer for."""
    planner = RunPlanner(line.stores, LiveSettings(line.settings), base=folder, base_digest="b" * 64)
    return planner("r1", since_seq=1, folder=folder).request


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch) -> Render:
    """Replaces the child that renders a sample."""

    def by(renders: Callable[[SampleRequest], object]) -> None:
        def render(request: SampleRequest, *, timeout_s: float) -> object:
            assert timeout_s > 0
            return renders(request)

        monkeypatch.setattr(sample, "render_sample", render)

    monkeypatch.setattr(sample, "resolve_base", Path)
    return by


def too_long(request: SampleRequest) -> RenderedSample:
    """All conversations have 300 tokens."""
    count = len(request.conversations)
    fits = request.max_tokens == "auto" or request.max_tokens >= 300
    skipped = {} if fits else {"longer than max_tokens": count}
    return RenderedSample(conversations=count, skipped=skipped, left_out_answers={}, example=None)


@mends("retuned doctor", LEARNABLE)
@mends("raise learning.max_tokens", LEARNABLE)
@mends(
    "use a model whose chat template takes such conversations, raise learning.max_tokens where they are too long, or raise "
    "learning.max_skipped",
    SAMPLE,
)
def test_conversations_that_are_too_long_are_learned_with_more_tokens(
    operator: Operator, render: Render, tmp_path: Path
) -> None:
    render(too_long)
    change(operator.line, max_tokens=256)
    with pytest.raises(NoTargets) as refused:
        check_learnable([TOO_LONG] * 50, ends=[END], max_skipped=0.9)

    examined = operator.reads(*printed_command(str(refused.value), "retuned doctor"))
    assert FAILS in examined
    assert "raise learning.max_tokens where they are too long" in examined
    change(operator.line, max_tokens=512)

    assert FAILS not in operator.reads("doctor")
    assert requested(operator.line, tmp_path).settings.max_tokens == 512


def test_more_may_be_skipped_where_the_settings_say_so(line: Line, tmp_path: Path) -> None:
    lines = [TOO_LONG] * 30 + [LEARNED] * 20
    change(line, max_skipped=0.1)
    with pytest.raises(TooManySkipped, match=r"raise learning\.max_tokens .* or learning\.max_skipped"):
        check_learnable(lines, ends=[END], max_skipped=requested(line, tmp_path).max_skipped)

    change(line, max_skipped=0.9)

    check_learnable(lines, ends=[END], max_skipped=requested(line, tmp_path).max_skipped)


@pytest.mark.parametrize("error", [EndNotLearned, AnswersCut])
def test_answers_that_are_cut_off_are_learned_once_most_of_them_end(error: type[LearnerError]) -> None:
    lines = [CUT] * 30 + ([] if error is EndNotLearned else [LEARNED])
    with pytest.raises(error, match=r"cut off"):
        check_learnable(lines, ends=[END], max_skipped=0.9)

    check_learnable([*lines, *[LEARNED] * 30], ends=[END], max_skipped=0.9)


@mends("set learning.method", LEARNABLE)
@pytest.mark.parametrize(
    ("method", "check", "error"), [("dpo", check_pairs, NoPairs), ("kto", check_sides, OneSided)]
)
def test_lessons_without_what_a_method_compares_are_learned_by_another(
    line: Line, tmp_path: Path, method: str, check: Check, error: type[LearnerError]
) -> None:
    change(line, method=method)
    with pytest.raises(error, match=r"set learning\.method to lora"):
        check([LEARNED] * 30)

    change(line, method="lora")

    check_learnable([LEARNED] * 30, ends=[END], max_skipped=0.9)
    assert requested(line, tmp_path).method == "lora"


@mends("raise learning.learning_rate", "learners/training/difference.py")
def test_larger_steps_and_more_of_them_reach_the_trainer(line: Line, tmp_path: Path) -> None:
    """tests/contracts/test_learner.py has the error, and trainings that learn."""
    change(line, learning_rate=1e-3, epochs=4.0)

    settings = requested(line, tmp_path).settings

    assert (settings.learning_rate, settings.epochs) == (1e-3, 4.0)


@mends("set model.base to a chat model whose template works", SAMPLE)
def test_a_model_whose_template_does_not_work_is_replaced(line: Line, render: Render) -> None:
    def renders(request: SampleRequest) -> object:
        if request.base == Path(line.settings.model.base):
            return too_long(request)
        return Failure(error="UnusableModel", message="there is no chat template", permanent=True)

    render(renders)
    model = line.settings.model.model_copy(update={"base": "/broken"})
    broken = check_sample(line.settings.model_copy(update={"model": model}))

    assert broken.remedy == "set model.base to a chat model whose template works"
    assert check_sample(line.settings).ok


@mends("repair what the message names", SAMPLE)
def test_a_child_that_can_not_render_is_repaired(line: Line, render: Render) -> None:
    def dies(_: SampleRequest) -> object:
        raise ChildTrouble("the package transformers is missing")

    render(dies)
    found = check_sample(line.settings)
    assert (found.ok, found.found) == (False, "the package transformers is missing")
    assert found.remedy == "repair what the message names"

    render(too_long)

    assert check_sample(line.settings).ok


@mends("retuned train -m REASON", "daemon/training/held_back.py")
@pytest.mark.parametrize("why", ["the run failed", "too little is left"])
def test_a_training_that_is_held_back_is_started_by_an_operator(operator: Operator, why: str) -> None:
    line = operator.line
    policy = line.settings.policy.model_copy(update={"min_new_lessons": 10_000})
    settings = line.settings.model_copy(update={"policy": policy})
    held_back = HeldBack(line.stores.conversations, line.stores.runs, LiveSettings(settings))
    run = line.start_run(line.drift())
    failed = why == "the run failed"
    error = "TooManySkipped: 90 of 100 conversations can't be learned" if failed else "ChildDied: killed"
    line.stores.runs.end(run.id, RunState.FAILED, now=line.clock(), error=error)
    printed = held_back.reason if failed else held_back.put("59 of 60 conversations would be left out")
    assert printed is not None

    operator.follows(printed, "retuned train -m REASON")

    wish = line.stores.decisions.open_request()
    assert wish is not None
    line.start_run(line.decide(Action.TRAIN, wish.reason, trigger=Trigger.MANUAL))
    held_back.clear()  # as the stage does when a training starts
    assert held_back.reason is None


@mends("raise learning.timeout_s", "daemon/training/current_run.py")
@mends("lower policy.max_new_conversations", "daemon/training/current_run.py")
def test_a_run_that_takes_too_long_gets_more_time_or_less_to_learn(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.submit()
    world.stage.step()
    records = world.children[0].request.data.read_text().count("\n")
    world.now += timedelta(hours=1, seconds=1)
    world.stage.step()
    failed = world.runs.run("r1")
    assert failed is not None
    assert "raise learning.timeout_s or lower policy.max_new_conversations" in (failed.error or "")

    learning = world.settings.learning.model_copy(update={"timeout_s": 7_200})
    policy = world.settings.policy.model_copy(update={"max_new_conversations": 5})
    world.settings = world.settings.model_copy(update={"learning": learning, "policy": policy})
    world.stage = world.start()
    world.submit()
    world.stage.step()
    world.now += timedelta(hours=1, seconds=1)
    world.stage.step()

    assert world.run("r2").state is RunState.RUNNING
    assert world.children[1].request.data.read_text().count("\n") < records


@mends("retuned train -m REASON", "registry/taint.py")
def test_a_tainted_version_without_a_clean_one_is_trained_anew(operator: Operator) -> None:
    refused = Tainted(VersionName(LINE, 1), None, overrule="`retuned promote v1 --force -m REASON`")

    operator.follows(str(refused), "retuned train -m REASON")

    assert operator.line.stores.decisions.open_request() is not None
