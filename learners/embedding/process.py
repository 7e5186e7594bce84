"""The client of the embedder child. Imports no torch."""

from base64 import b64decode
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from learners.children.rpc_client import RpcClient


class Embedder(Protocol):
    """Embeds texts, one call after the other.

    The futures fail with a LearnerError: UnusableModel or ChildDied if no answer can come any more.
    """

    @property
    def alive(self) -> bool: ...

    @property
    def pid(self) -> int | None: ...

    def embed(self, texts: Sequence[str]) -> Future[list[bytes]]:
        """Return a unit vector per text, little-endian float32. Without texts, the answer tells that the model is loaded."""
        ...

    def stop(self, timeout_s: float) -> None: ...


class EmbedderProcess:
    """An Embedder in a child process that holds the model. After the child's death every call fails with the reason."""

    def __init__(
        self, model: Path, *, device: str = "auto", threads: int = 0, max_tokens: int = 256, batch: int = 32
    ) -> None:
        self._calls = RpcClient(
            "learners.embedding.embedder", [str(model), device, str(threads), str(max_tokens), str(batch)]
        )

    def start(self) -> None:
        """Start the child, which loads the model for some seconds; calls wait for it. Call once."""
        self._calls.start()

    @property
    def alive(self) -> bool:
        return self._calls.alive

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._calls.pid

    def embed(self, texts: Sequence[str]) -> Future[list[bytes]]:
        return self._calls.ask(
            lambda vectors: [b64decode(vector) for vector in vectors], op="embed", texts=list(texts)
        )

    def stop(self, timeout_s: float) -> None:
        """End the child, by force after ``timeout_s``; unanswered calls fail with ChildDied."""
        self._calls.stop(timeout_s)
