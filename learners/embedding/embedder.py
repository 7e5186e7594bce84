"""Serves embeddings: ``python -m learners.embedding.embedder MODEL DEVICE THREADS MAX_TOKENS BATCH``.

``learners.children.rpc_server`` defines requests and answers; a vector is base64.
"""

import sys
from base64 import b64encode
from pathlib import Path
from typing import cast

from learners.children.rpc_server import Answer, Request, serve
from learners.errors import BadRequest


def main(arguments: list[str]) -> int:
    """Serve requests until stdin ends."""
    if len(arguments) != 5:
        sys.stderr.write(
            "usage: python -m learners.embedding.embedder MODEL DEVICE THREADS MAX_TOKENS BATCH\n"
        )
        return 2
    model, device, threads, max_tokens, batch = arguments
    return serve(lambda _: _begin(Path(model), device, int(threads), int(max_tokens), int(batch)))


def _begin(model: Path, device: str, threads: int, max_tokens: int, batch: int) -> Answer:
    from learners.embedding.encoder import Encoder
    from learners.models.loading import prepare_torch

    prepare_torch(threads)
    encoder = Encoder(model, device=device, max_tokens=max_tokens, batch=batch)

    def answer(request: Request) -> object:
        if request.get("op") != "embed":
            raise BadRequest("op must be embed")
        return [b64encode(vector).decode() for vector in encoder.vectors(cast(list[str], request["texts"]))]

    return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
