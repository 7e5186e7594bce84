"""The scorer from the daemon's side: calls that give futures, on a child process. No torch here."""

import itertools
import json
import queue
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from learners.child import Child
from learners.codec import conversation_to_json
from learners.errors import ChildDied, LearnerError, error_named
from learners.types import Conversation, Message, Score, ScorerStats, Surprisals

OnProgress = Callable[[int, int], None]  # conversations done, of how many


class Scorer(Protocol):
    """Scores and generates under a base (adapter None) or an adapter that was loaded, one call after the other.

    The futures fail with a LearnerError: BadAdapter, NameTaken, UnknownAdapter, BadRequest; ChildDied where no
    answer will come any more.
    """

    def load(self, name: str, path: Path) -> Future[None]:
        """Checks and loads an adapter. A name means the same bytes for ever; again the same is nothing new."""
        ...

    def unload(self, name: str) -> Future[None]: ...

    def score(
        self,
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        on_progress: OnProgress | None = None,
    ) -> Future[list[Score]]:
        """Scores in the order of the conversations. ``on_progress`` is called from another thread."""
        ...

    def surprisals(
        self, adapter: str | None, conversations: Sequence[Conversation]
    ) -> Future[list[Surprisals]]:
        """The loss of each assistant token, in the order of the conversations."""
        ...

    def generate(
        self, adapter: str | None, messages: Sequence[Message], *, max_new_tokens: int = 128
    ) -> Future[str]:
        """The assistant's next turn, greedy: the same question, the same answer."""
        ...

    def stats(self) -> Future[ScorerStats]: ...


@dataclass(frozen=True, slots=True)
class _Pending:
    future: Future[Any]  # of whatever ``read`` gives
    read: Callable[[Any], object]  # the JSON result -> the value
    on_progress: OnProgress | None


class ScorerProcess:
    """A Scorer in a child process that holds the base once. After its death every call fails with ChildDied."""

    def __init__(
        self,
        base: Path,
        *,
        device: str = "auto",
        threads: int = 0,
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
        max_tokens: int = 1024,
    ) -> None:
        self._arguments = [str(base), device, str(threads), dtype, str(max_tokens)]
        self._ids = itertools.count(1)
        self._lock = threading.Lock()  # over the three below
        self._pending: dict[int, _Pending] = {}
        self._death: LearnerError | None = None
        self._reason: LearnerError | None = None  # why the child says it ends
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._child: Child | None = None
        self._writer = threading.Thread(target=self._write, name="scorer-writer", daemon=True)

    def start(self) -> None:
        """Starts the child, which takes some seconds to load the base; calls wait for it. Call once."""
        self._child = Child(
            "learners.scorer",
            self._arguments,
            log=tempfile.TemporaryFile(),  # noqa: SIM115 (closed by the child's reader)
            on_line=self._heard,
            on_end=self._ended,
        )
        self._writer.start()

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The child's, while it runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def rss_bytes(self) -> int:
        """The child's memory; 0 where there is none."""
        return self._child.rss_bytes if self._child is not None else 0

    def stop(self, timeout_s: float) -> None:
        """Ends the child, by force after ``timeout_s``; calls without an answer fail with ChildDied."""
        if self._child is None:
            return
        self._outbox.put(None)
        self._child.stop(timeout_s)
        self._writer.join()

    def load(self, name: str, path: Path) -> Future[None]:
        return self._ask(lambda _: None, op="load", name=name, path=str(path.absolute()))

    def unload(self, name: str) -> Future[None]:
        return self._ask(lambda _: None, op="unload", name=name)

    def score(
        self,
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        on_progress: OnProgress | None = None,
    ) -> Future[list[Score]]:
        return self._ask(
            lambda scores: [Score(**values) for values in scores],
            on_progress=on_progress,
            op="score",
            adapter=adapter,
            conversations=[conversation_to_json(conversation) for conversation in conversations],
        )

    def surprisals(
        self, adapter: str | None, conversations: Sequence[Conversation]
    ) -> Future[list[Surprisals]]:
        return self._ask(
            lambda found: [
                Surprisals(id=each["id"], tokens=tuple(each["tokens"]), nats=tuple(each["nats"]))
                for each in found
            ],
            op="surprisals",
            adapter=adapter,
            conversations=[conversation_to_json(conversation) for conversation in conversations],
        )

    def generate(
        self, adapter: str | None, messages: Sequence[Message], *, max_new_tokens: int = 128
    ) -> Future[str]:
        return self._ask(
            str,
            op="generate",
            adapter=adapter,
            messages=[asdict(message) for message in messages],
            max_new_tokens=max_new_tokens,
        )

    def stats(self) -> Future[ScorerStats]:
        return self._ask(
            lambda values: ScorerStats(rss_bytes=values["rss_bytes"], adapters=tuple(values["adapters"])),
            op="stats",
        )

    def _ask(
        self, read: Callable[[Any], object], *, on_progress: OnProgress | None = None, **request: object
    ) -> Future[Any]:
        """Sends a request; its future is resolved by the reader thread."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what was sent can't be taken back
        id_ = next(self._ids)
        line = json.dumps({"id": id_, **request}).encode() + b"\n"
        with self._lock:
            if self._death is None:
                self._pending[id_] = _Pending(future, read, on_progress)
                self._outbox.put(line)
                return future
        future.set_exception(self._death)
        return future

    def _write(self) -> None:
        """Writing has a thread of its own, as the pipe is full while the child computes."""
        assert self._child is not None  # noqa: S101 (started after it)
        try:
            while (line := self._outbox.get()) is not None:
                self._child.stdin.write(line)
                self._child.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # dead or closed: the reader tells those who wait

    def _heard(self, line: str) -> None:
        answer = json.loads(line)
        if "id" not in answer:
            self._reason = error_named(answer["error"], answer["message"])
            return
        if "of" in answer:
            pending = self._pending.get(answer["id"])
            if pending is not None and pending.on_progress is not None:
                pending.on_progress(answer["done"], answer["of"])
            return
        with self._lock:
            pending = self._pending.pop(answer["id"])
        if "error" in answer:
            pending.future.set_exception(error_named(answer["error"], answer["message"]))
        else:
            pending.future.set_result(pending.read(answer["result"]))

    def _ended(self, error: ChildDied) -> None:
        with self._lock:
            self._death = self._reason or error
            waiting = list(self._pending.values())
            self._pending.clear()
        self._outbox.put(None)
        for pending in waiting:
            pending.future.set_exception(self._death)
