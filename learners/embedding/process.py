"""The client of the embedder child. Imports no torch."""

from base64 import b64decode
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from learners.children.rpc_client import Ask, RpcClient


class Embedder(Protocol):
    """Embeds texts, one call after the other.

    The futures fail with a LearnerError: UnusableModel or ChildDied if no answer can come any more.
    """

    def embed(self, texts: Sequence[str]) -> Future[list[bytes]]:
        """Return a unit vector per text, little-endian float32. Without texts, the answer tells that the model is loaded."""
        ...


def embedder_process(
    model: Path,
    *,
    device: str = "auto",
    threads: int = 0,
    max_tokens: int = 256,
    batch: int = 32,
    log: Path | None = None,
) -> RpcClient[Embedder]:
    """Return a child that holds the model. Start it, then make its calls. ``log`` is the file for its stderr."""
    return RpcClient(
        "learners.embedding.embedder",
        [str(model), device, str(threads), str(max_tokens), str(batch)],
        _EmbedderCalls,
        log=log,
    )


class _EmbedderCalls:
    """An Embedder that asks the child."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def embed(self, texts: Sequence[str]) -> Future[list[bytes]]:
        return self._ask(
            lambda vectors: [b64decode(vector) for vector in vectors], op="embed", texts=list(texts)
        )
