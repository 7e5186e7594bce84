"""Asks a child process how the model's template renders some conversations. Imports no transformers."""

import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from learners.children.subprocess_child import SubprocessChild
from learners.errors import ChildDied, ChildTrouble
from learners.method_names import MethodName
from learners.types import Conversation, Failure, Rendering


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRequest:
    """Conversations to render, and how."""

    base: Path
    conversations: tuple[Conversation, ...]
    max_tokens: Literal["auto"] | int  # "auto": the model's context, whatever the memory
    rendering: Rendering = field(default_factory=Rendering)
    method: MethodName = "lora"


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPart:
    """Adjacent text of a rendered row that is learned, or that is not."""

    text: str
    learned: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedConversation:
    """A conversation as the model learns to answer it: rows, each with its parts in order."""

    id: str
    rows: tuple[tuple[TextPart, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedSample:
    """What a training on these conversations would learn."""

    conversations: int
    skipped: Mapping[str, int]  # conversations without anything to learn, by reason
    left_out_answers: Mapping[str, int]  # answers of the other conversations that are not learned, by reason
    example: RenderedConversation | None  # the newest that is imitated


REQUEST = TypeAdapter(SampleRequest)
ANSWER: TypeAdapter[RenderedSample | Failure] = TypeAdapter(RenderedSample | Failure)


def render_sample(request: SampleRequest, *, timeout_s: float) -> RenderedSample | Failure:
    """Render conversations in a child process, as a training would; the failure names what is wrong with the model.

    Raises ChildTrouble, ChildDied.
    """
    lines: list[str] = []
    deaths: list[ChildDied] = []
    answered = threading.Event()

    def answer(line: str) -> None:
        lines.append(line)
        answered.set()

    def end(death: ChildDied) -> None:
        deaths.append(death)
        answered.set()

    with tempfile.TemporaryDirectory(prefix="retuned-sample-") as folder:
        file = Path(folder) / "request.json"
        file.write_bytes(REQUEST.dump_json(request))
        child = SubprocessChild(
            "learners.encoding.sample_worker",
            [str(file)],
            log=(Path(folder) / "worker.log").open("w+b"),
            on_line=answer,
            on_end=end,
        )
        in_time = answered.wait(timeout_s)
        child.stop(1.0)
    if lines:
        return ANSWER.validate_json(lines[-1])
    if not in_time:
        raise ChildTrouble(f"the sample was not rendered within {timeout_s:.0f} s")
    raise deaths[0]
