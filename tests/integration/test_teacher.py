"""The teacher from the ledger over HTTP and back, with real threads, and a kill in mid-call."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.cli.doctor.check import Check
from daemon.cli.doctor.teacher import check_teacher
from daemon.config.lesson_rules import lesson_rules
from daemon.domain.conversation import Feedback, Message
from daemon.domain.teaching import TeacherOutcome
from daemon.domain.windows import SeqRange
from daemon.release.held_out_lessons import held_out_lesson
from daemon.runtime.build_teacher import build_judge, build_teacher
from daemon.teaching.stage import TeacherStage
from daemon.telemetry.metrics import Metrics
from daemon.training.dataset import build_dataset
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line
from tests.factories.ledger import a_batch, a_conversation
from tests.servers.openai_api import Model, OpenAiServer, answering, completion, hanging, refusing
from tests.support.helpers import eventually

CHILD = """
import sys, time
from pathlib import Path
from daemon.config.loader import load
from daemon.ledger.stores import open_stores
from daemon.release.held_out_lessons import held_out_lesson
from daemon.runtime.build_teacher import build_teacher
from daemon.telemetry.metrics import Metrics
from daemon.training.dataset import build_dataset

settings = load(Path(sys.argv[1]))
stage = build_teacher(settings, open_stores(settings), Metrics())
while True:
    stage.step()
    time.sleep(0.01)
"""


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def line(tmp_path: Path, model: Model) -> Iterator[Line]:
    key = tmp_path / "key"
    key.write_text("k-secret\n")
    with OpenAiServer(model) as server:
        teacher = {
            "url": server.url, "model": "teacher-1", "api_key_file": str(key), "timeout_s": 20, "calls_a_day": 60,
            "judges": True, "price_per_million_output_tokens": 1.0, "system_prompt": "You know this shop.",
        }  # fmt: skip
        line = a_line(tmp_path, teacher=teacher, lessons={"unnamed": "own"})
        try:
            yield line
        finally:
            line.stores.engine.dispose()


def stage_of(line: Line) -> TeacherStage:
    stage = build_teacher(line.settings, line.stores, Metrics())
    assert stage is not None
    return stage


def turns_until(stage: TeacherStage, condition: Callable[[], bool]) -> None:
    """Let the stage take steps until something is so."""

    def after_a_step() -> bool:
        stage.step()
        return condition()

    eventually(after_a_step, deadline_s=20)


def answered(line: Line) -> dict[int, str]:
    stored = line.stores.conversations.between(SeqRange(first=1, last=1_000))
    return {one.seq: one.taught.content for one in stored if one.taught is not None}


def users_words(model: Model) -> list[str]:
    return [request["messages"][-1]["content"] for request in model.requests]


def test_disliked_answers_of_both_sides_are_taught_first(line: Line, model: Model) -> None:
    disliked = [
        a_conversation(line.read + 1, text="Where is my parcel?", feedback=Feedback(thumb="down")),
        a_conversation(
            line.read + 2, text="May I return it?", held_out=True, feedback=Feedback(thumb="down")
        ),
        a_conversation(line.read + 3, text="Thank you so much!", feedback=Feedback(thumb="up")),
    ]
    line.stores.intake.record(a_batch(disliked, at=line.clock()))
    stage = stage_of(line)

    turns_until(stage, lambda: len(answered(line)) >= 4)
    stage.close(5.0)

    assert set(users_words(model)[:2]) == {"Where is my parcel?", "May I return it?"}
    assert "Thank you so much!" not in users_words(model)
    assert model.requests[0]["messages"][0] == {"role": "system", "content": "You know this shop."}
    taught = answered(line)
    assert taught[51] == "The answer to: Where is my parcel?"
    assert taught[52] == "The answer to: May I return it?"


def test_taught_answers_are_in_the_next_training_set_and_at_the_gate(
    line: Line, model: Model, tmp_path: Path
) -> None:
    disliked = [
        a_conversation(line.read + 1, text="Where is my parcel?", feedback=Feedback(thumb="down")),
        a_conversation(
            line.read + 2, text="May I return it?", held_out=True, feedback=Feedback(thumb="down")
        ),
    ]
    line.stores.intake.record(a_batch(disliked, at=line.clock()))
    stage = stage_of(line)
    turns_until(stage, lambda: {51, 52} <= answered(line).keys())
    stage.close(5.0)

    dataset = build_dataset(
        line.stores.conversations, line.settings, since_seq=1, path=tmp_path / "data.jsonl"
    )

    lines = [json.loads(text) for text in dataset.path.read_text().splitlines()]
    (preferred,) = [one for one in lines if one["messages"][0]["content"] == "Where is my parcel?"]
    assert preferred["lesson"] == "prefer"
    assert preferred["messages"][-1]["content"] == "The answer to: Where is my parcel?"
    assert preferred["rejected"]["content"] == "answer to Where is my parcel?"
    assert "May I return it?" not in dataset.path.read_text()
    (held_out,) = line.stores.conversations.by_seq([52])
    lesson = held_out_lesson(held_out, lesson_rules(line.settings))
    assert lesson is not None
    assert lesson.expected.good == "The answer to: May I return it?"


def test_all_prompts_are_asked_once(line: Line, model: Model) -> None:
    stage = stage_of(line)

    turns_until(stage, lambda: len(answered(line)) >= 8)
    stage.close(5.0)

    assert set(Counter(users_words(model)).values()) == {1}


def test_a_kill_in_mid_call_pays_no_more_than_the_calls_in_flight_twice(
    line: Line, model: Model, tmp_path: Path
) -> None:
    model.misbehaviour = [hanging] * line.settings.teacher.concurrency
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(line.config)], env={**os.environ})
    try:
        eventually(lambda: len(model.requests) == line.settings.teacher.concurrency, deadline_s=60)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    left = line.stores.teacher.newest(10)

    stage = stage_of(line)
    turns_until(stage, lambda: len(answered(line)) >= 8)
    stage.close(5.0)

    assert [call.outcome for call in left] == [TeacherOutcome.UNFINISHED] * 2
    assert all(call.cost > 0 for call in left)  # the budget counts them, with the most that they can cost
    paid = Counter(users_words(model))
    assert sum(count - 1 for count in paid.values()) <= line.settings.teacher.concurrency
    assert max(paid.values()) == 2


def test_closing_waits_for_no_endpoint_that_hangs(line: Line, model: Model) -> None:
    model.misbehaviour, model.for_ever = [hanging], True
    stage = stage_of(line)
    turns_until(stage, lambda: len(model.requests) == 2)

    stage.close(0.2)

    assert [call.outcome for call in line.stores.teacher.newest(10)] == [TeacherOutcome.UNFINISHED] * 2
    model.closing.set()
    eventually(
        lambda: all(thread.name != "retuned-teacher" for thread in threading.enumerate()), deadline_s=20
    )


def prefers(better: str) -> Callable[[list[dict[str, str]]], str]:
    """A judge that prefers one answer, wherever it stands."""

    def judge(messages: list[dict[str, str]]) -> str:
        material = json.loads(messages[1]["content"])
        return "A" if material["answer_a"] == better else "B"

    return judge


@pytest.mark.parametrize(
    ("judge", "preference"),
    [(prefers("good"), "a"), (prefers("bad"), "b"), (lambda _: "A", "tie"), (lambda _: "both", None)],
)
def test_pairs_are_judged_in_both_orders(
    line: Line, model: Model, judge: Callable[[list[dict[str, str]]], str], preference: str | None
) -> None:
    model.answer = judge
    stage = stage_of(line)
    of_pairs = build_judge(line.settings, stage)
    assert of_pairs is not None

    promised = of_pairs.compare([Message(role="user", content="q")], "good", "bad")
    turns_until(stage, promised.done)
    stage.close(5.0)

    assert promised.result() == preference
    assert (
        build_judge(
            line.settings.model_copy(
                update={"teacher": line.settings.teacher.model_copy(update={"judges": False})}
            ),
            stage,
        )
        is None
    )


def test_without_a_teacher_nothing_is_built(tmp_path: Path) -> None:
    line = a_line(tmp_path)

    assert build_teacher(line.settings, line.stores, Metrics()) is None
    assert json.loads(type_to(line, "teacher", "show", "--json").stdout)["teacher"] is None
    assert "set teacher.url and teacher.model" in type_to(line, "teacher", "show").stdout
    line.stores.engine.dispose()


def test_operators_see_what_it_does(line: Line, model: Model) -> None:
    model.misbehaviour = [answering(completion(""))]
    stage = stage_of(line)
    turns_until(stage, lambda: len(answered(line)) >= 3)
    stage.close(5.0)

    shown = json.loads(type_to(line, "teacher", "show", "--json").stdout)["teacher"]
    listed = json.loads(type_to(line, "teacher", "answers", "--json").stdout)["answers"]
    failed = json.loads(type_to(line, "teacher", "answers", "--failed", "--json").stdout)["answers"]

    calls = {(one["purpose"], one["outcome"]): one["calls"] for one in shown["outcomes"]}
    assert calls["answer", "empty"] == 1
    assert calls["answer", "answered"] >= 3
    assert {one["call"]["model"] for one in listed} == {"teacher-1"}
    assert all(one["question"].startswith("question") for one in listed)
    assert [one["call"]["outcome"] for one in failed] == ["empty"]
    assert "k-secret" not in json.dumps([shown, listed])


def test_the_doctor_names_what_is_wrong(line: Line, model: Model, tmp_path: Path) -> None:
    def check(*, call: bool = False) -> Check:
        (found,) = check_teacher(line.settings, call=call)
        return found

    assert check().ok
    assert model.requests == []  # it costs nothing
    assert check(call=True).ok
    assert len(model.requests) == 1

    model.misbehaviour = [refusing(401), refusing(404), refusing(500)]
    assert "teacher.api_key_file" in check().remedy
    assert check().ok  # it lists no models, which proves nothing
    assert not check().ok
    model.name = "another"
    assert check().remedy == "correct teacher.model"
    assert "teacher.model (teacher-1)" in check(call=True).remedy
    (tmp_path / "key").unlink()
    assert "teacher.api_key_file" in check().remedy


def test_the_command_doctor_calls_the_teacher_only_when_it_is_told_to(
    line: Line, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cli.doctor.broker.check_stream", lambda *_, **__: ())

    for words, calls in (("doctor",), 0), (("doctor", "--teacher"), 1):
        found = json.loads(type_to(line, *words, "--json").stdout)["checks"]
        assert [one["ok"] for one in found if one["subject"] == "teacher"] == [True]
        assert len(model.requests) == calls
