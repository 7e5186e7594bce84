"""Serves scores and answers of a base and its adapters: ``python -m learners.scoring.scorer BASE DEVICE THREADS DTYPE MAX_TOKENS RENDERING``.

MAX_TOKENS may be ``auto``; RENDERING is the JSON of learners.types.Rendering. ``learners.children.rpc_server`` defines requests and answers.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import psutil

from learners.children.json_lines import JsonLineWriter
from learners.children.rpc_server import Request, serve
from learners.codec import ANSWERS, CONVERSATIONS, RENDERING, read
from learners.errors import BadRequest
from learners.types import Dtype, MaxTokens, Rendering, ScorerStats

_USAGE = "BASE DEVICE THREADS DTYPE MAX_TOKENS RENDERING"


def main(arguments: list[str]) -> int:
    """Serve requests until stdin ends."""
    if len(arguments) != 6:
        sys.stderr.write(f"usage: python -m learners.scoring.scorer {_USAGE}\n")
        return 2
    base, device, threads, dtype, max_tokens, rendering = arguments
    return serve(
        lambda lines: (
            _Scorer(
                Path(base),
                device,
                int(threads),
                dtype,
                "auto" if max_tokens == "auto" else int(max_tokens),
                RENDERING.validate_json(rendering),
                lines,
            ).answer
        )
    )


class _Scorer:
    """The operations. torch is imported here, not with the module."""

    def __init__(
        self,
        base: Path,
        device: str,
        threads: int,
        dtype: str,
        max_tokens: MaxTokens,
        rendering: Rendering,
        lines: JsonLineWriter,
    ) -> None:
        from learners.encoding.chat import ChatEncoder
        from learners.models.adapters import Adapters
        from learners.models.loading import (
            choose_device,
            choose_dtype,
            load_base,
            prepare_torch,
        )
        from learners.models.room import most_tokens
        from learners.models.tokenizer import load_tokenizer

        prepare_torch(threads)
        place = choose_device(device)
        self._tokenizer = load_tokenizer(base)
        self._encoder = ChatEncoder(self._tokenizer, rendering)
        model = load_base(base, choose_dtype(cast(Dtype, dtype), place), place)
        self._max_tokens = most_tokens(model) if max_tokens == "auto" else max_tokens
        self._adapters = Adapters(model)
        self._lines = lines
        self._operations: dict[object, Callable[[Request], object]] = {
            "load": self._load,
            "unload": self._unload,
            "score": self._score,
            "surprisals": self._surprisals,
            "answers": self._answers,
            "stats": self._stats,
        }

    def answer(self, request: Request) -> object:
        """Return the result of one request. Raises a LearnerError that says what is wrong with it."""
        operation = self._operations.get(request.get("op"))
        if operation is None:
            raise BadRequest(f"op must be one of {', '.join(map(str, self._operations))}")
        return operation(request)

    def _load(self, request: Request) -> None:
        self._adapters.load(str(request["name"]), Path(str(request["path"])))

    def _unload(self, request: Request) -> None:
        self._adapters.unload(str(request["name"]))

    def _score(self, request: Request) -> object:
        from learners.scoring.scoring import score

        return self._each(score, request)

    def _surprisals(self, request: Request) -> object:
        from learners.scoring.scoring import surprisals

        return self._each(surprisals, request)

    def _each(self, scoring: Callable[..., list[Any]], request: Request) -> object:
        """Score each conversation of the request in one way."""
        conversations = read(CONVERSATIONS, request["conversations"])
        with self._adapters.using(cast(str | None, request["adapter"])) as model:
            results = scoring(
                model,
                self._encoder,
                conversations,
                max_tokens=self._max_tokens,
                on_progress=self._teller(request),
            )
        return [asdict(result) for result in results]

    def _answers(self, request: Request) -> object:
        from learners.scoring.generating import answers

        conversations = read(CONVERSATIONS, request["conversations"])
        with self._adapters.using(cast(str | None, request["adapter"])) as model:
            found = answers(
                model,
                self._tokenizer,
                self._encoder,
                conversations,
                max_new_tokens=cast(int, request["max_new_tokens"]),
                seconds=cast(float | None, request["seconds"]),
                on_progress=self._teller(request),
            )
        return ANSWERS.dump_python(found, mode="json")

    def _teller(self, request: Request) -> Callable[[int, int], None]:
        """Return a function that reports the progress of the request: done, of how many."""
        return lambda done, of: self._lines.write(json.dumps({"id": request["id"], "done": done, "of": of}))

    def _stats(self, _: Request) -> object:
        stats = ScorerStats(rss_bytes=psutil.Process().memory_info().rss, adapters=self._adapters.names)
        return asdict(stats)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
