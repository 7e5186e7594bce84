"""A small model server for the demo, which follows live.json."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.demo.evidence import AnswerFact
from daemon.demo.questions import Question
from daemon.domain.conversation import Message as Turn
from learners.scoring.process import scorer_process
from learners.types import Answer as Generated
from learners.types import Conversation, Message

_TOKENS = 64
_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer of one version."""

    version: str
    text: str


class DemoServer:
    """Answers with the live version, or with the base, in one child process. It loads adapters on demand and decodes greedily."""

    def __init__(self, base: Path, target: Path) -> None:
        self._scorer = scorer_process(base, device="auto", threads=0)
        self._pointer = target / "live.json"
        self._loaded: set[str] = set()

    def __enter__(self) -> Self:
        self._scorer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scorer.stop(_STOP_TIMEOUT_S)

    def compare(self, questions: Sequence[Question]) -> tuple[tuple[AnswerFact, ...], str]:
        """Ask the base and the live version the same questions; return the answers and the live version."""
        facts, live = [], ""
        for question in questions:
            answer = self.live(question)
            live = answer.version
            facts.append(
                AnswerFact(
                    conversation_id=question.conversation_id,
                    question=question.text,
                    reference=question.reference,
                    base=self._generate(None, question.prompt),
                    live=answer.text,
                )
            )
        return tuple(facts), live

    def live(self, question: Question) -> Answer:
        """Ask the version that live.json names now."""
        version, adapter = self._live_version()
        return Answer(version=version, text=self._generate(adapter, question.prompt))

    def ask_live(
        self, questions: Sequence[str], *, tokens: int, on_progress: Callable[[int, int], None]
    ) -> tuple[str, Future[list[Generated]]]:
        """Ask the version that live.json names now many questions at once; return its name, and its answers to come.

        ``on_progress`` gets how many of how many are answered, from another thread. The future raises LearnerError.
        """
        version, adapter = self._live_version()
        prompts = [
            Conversation(id=str(number), messages=(Message(role="user", content=question),))
            for number, question in enumerate(questions)
        ]
        answers = self._scorer.calls.answers(adapter, prompts, max_new_tokens=tokens, on_progress=on_progress)
        return version, answers

    def _live_version(self) -> tuple[str, str | None]:
        """Return the live version, and the name of its adapter, which is loaded then; None: it has none."""
        named = json.loads(self._pointer.read_text(encoding="utf-8"))
        version, artifact = str(named["version"]), named["artifact"]
        if artifact is None:
            return version, None
        if version not in self._loaded:
            self._scorer.calls.load(version, Path(artifact)).result(_TIMEOUT_S)
            self._loaded.add(version)
        return version, version

    def _generate(self, adapter: str | None, prompt: Sequence[Turn]) -> str:
        messages = tuple(Message(role=turn.role, content=turn.content) for turn in prompt)
        return self._scorer.calls.generate(adapter, messages, max_new_tokens=_TOKENS).result(_TIMEOUT_S)
