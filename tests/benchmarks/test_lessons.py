"""What each method learns from OpenAssistant's preferences and feedback, on trees of conversations that it did not see.

Of SmolLM2-135M-Instruct, or of the folder that RETUNED_TEST_BENCH_BASE names.
"""

import gzip
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import TypeAdapter

from daemon.demo.base_model import prepare_base
from learners.encoding.chat import ChatEncoder
from learners.models.adapters import Adapters
from learners.models.base import base_digest
from learners.models.loading import choose_device, choose_dtype, load_base, prepare_torch
from learners.models.tokenizer import load_tokenizer
from learners.scoring.scoring import score
from learners.training.methods import METHODS
from learners.types import Conversation, LoraSettings, Message, RunResult, Score, TrainRequest
from tests.benchmarks.clustered import estimate, split
from tests.support.devices import DEVICE

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
#: Sized to some ten minutes a method on two cores.
MAX_TOKENS, TRAINED_PAIRS, TRAINED_DISLIKED, HELD_OUT_PAIRS = 256, 48, 16, 100
SETTINGS = LoraSettings(max_tokens=MAX_TOKENS, epochs=2.0, learning_rate=2e-4)
_LINE = TypeAdapter(Conversation)

METHODS_TRIED = {
    "lora": ("lora", SETTINGS),
    "dpo": ("dpo", SETTINGS),
    "dpo, pairs only": ("dpo", replace(SETTINGS, supervised_weight=0.0)),
    "kto": ("kto", SETTINGS),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two answers to one prompt, of which people ranked one above the other."""

    tree: str
    conversation: Conversation

    @property
    def better(self) -> Conversation:
        """The better answer alone, to be scored."""
        return replace(self.conversation, lesson="avoid", rejected=None)

    @property
    def worse(self) -> Conversation:
        assert self.conversation.rejected is not None
        messages = (*self.conversation.messages[:-1], self.conversation.rejected)
        return replace(self.better, messages=messages)


class Disliked(NamedTuple):
    """An answer with more thumbs down than up."""

    tree: str
    conversation: Conversation


@dataclass(frozen=True, kw_only=True, slots=True)
class Lessons:
    """What is learned from, and what is held out."""

    pairs: Sequence[Pair]
    disliked: Sequence[Disliked]
    held_out_pairs: Sequence[Pair]
    held_out_disliked: Sequence[Disliked]

    def lines(self, method: str) -> list[Conversation]:
        """What a training set for the method holds."""
        disliked = [one.conversation for one in self.disliked] if method == "kto" else []
        return [*(pair.conversation for pair in self.pairs), *disliked]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if named := os.environ.get("RETUNED_TEST_BENCH_BASE"):
        return Path(named)
    return prepare_base(
        None, cache=Path(".cache"), log=tmp_path_factory.mktemp("base") / "log", tell=lambda _: None
    )


@pytest.fixture(scope="module")
def lessons(base: Path) -> Lessons:
    if not (SHARED / "oasst_preferences.jsonl.gz").exists():
        pytest.skip("there are no preferences in ../shared/data")
    encoder = ChatEncoder(load_tokenizer(base))
    pairs = [pair for pair in _pairs() if _fits(encoder, pair.better) and _fits(encoder, pair.worse)]
    disliked = [one for one in _disliked() if _fits(encoder, one.conversation)]
    trained, held_out = split([pair.tree for pair in pairs], seed=0)
    return Lessons(
        pairs=[pair for pair in pairs if pair.tree in trained][:TRAINED_PAIRS],
        disliked=[one for one in disliked if one.tree in trained][:TRAINED_DISLIKED],
        held_out_pairs=[pair for pair in pairs if pair.tree in held_out][:HELD_OUT_PAIRS],
        held_out_disliked=[one for one in disliked if one.tree not in trained],
    )


def _pairs() -> list[Pair]:
    """In an order that mixes trees."""
    found = [
        Pair(
            tree=record["labels"]["tree"],
            conversation=Conversation(
                id=record["id"],
                messages=_messages(record),
                lesson="prefer",
                rejected=Message(role="assistant", content=record["labels"]["rejected"]),
            ),
        )
        for record in _records("oasst_preferences.jsonl.gz")
    ]
    return sorted(found, key=lambda pair: _drawn(pair.conversation.id))


def _disliked() -> list[Disliked]:
    return [
        Disliked(
            record["labels"]["tree"],
            Conversation(id=record["id"], messages=_messages(record), lesson="avoid"),
        )
        for record in _records("oasst_feedback.jsonl.gz")
        if record["labels"].get("thumbs_down", 0) > record["labels"].get("thumbs_up", 0)
    ]


def _records(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(SHARED / name, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _messages(record: dict[str, Any]) -> tuple[Message, ...]:
    return tuple(Message(role=turn["role"], content=turn["content"]) for turn in record["messages"])


def _drawn(id_: str) -> str:
    return hashlib.sha256(id_.encode()).hexdigest()


def _fits(encoder: ChatEncoder, conversation: Conversation) -> bool:
    """Whether prompt and answer fit with their whole history."""
    rows = encoder.encode(conversation, max_tokens=4 * MAX_TOKENS).rows
    return len(rows) == 1 and len(rows[0].ids) <= MAX_TOKENS


def _trained(
    method: str, settings: LoraSettings, lines: Sequence[Conversation], base: Path, folder: Path
) -> RunResult:
    folder.mkdir()
    data = folder / "data.jsonl"
    data.write_bytes(b"".join(_LINE.dump_json(line) + b"\n" for line in lines))
    request = TrainRequest(
        run="r1", base=base, base_digest=base_digest(base), parent=None, data=data,
        data_digest=hashlib.sha256(data.read_bytes()).hexdigest(), output=folder / "artifact", method=method,
        settings=settings, device=DEVICE,
    )  # fmt: skip
    return METHODS[method](request, lambda _: None, lambda: False)


class Judge:
    """Scores held-out answers under the base and under adapters."""

    def __init__(self, base: Path, lessons: Lessons) -> None:
        device = choose_device(DEVICE)
        prepare_torch(0)
        self._adapters = Adapters(load_base(base, choose_dtype("auto", device), device))
        self._encoder = ChatEncoder(load_tokenizer(base))
        self._lessons = lessons
        self.before = self._scores(None)

    def report(self, name: str, adapter: Path) -> str:
        """Return the row of the table for an adapter."""
        self._adapters.load(name, adapter)
        after = self._scores(name)
        pairs = self._lessons.held_out_pairs
        cells = [
            str(estimate([(p.tree, float(_wins(after, p, key))) for p in pairs]))
            for key in (_summed, _per_token)
        ]
        cells += [
            str(estimate([(p.tree, _wins(after, p, key) - _wins(self.before, p, key)) for p in pairs]))
            for key in (_summed, _per_token)
        ]
        sides = (
            [(p.tree, p.better) for p in pairs],
            [(p.tree, p.worse) for p in pairs],
            list(self._lessons.held_out_disliked),
        )
        changes = [
            [(tree, _per_token(after, c) - _per_token(self.before, c)) for tree, c in side] for side in sides
        ]
        cells += [str(estimate(change)) for change in changes]
        margin = [(tree, better - worse) for (tree, better), (_, worse) in zip(*changes[:2], strict=True)]
        return " | ".join([name, *cells, str(estimate(margin))])

    def accuracy_before(self) -> str:
        pairs = self._lessons.held_out_pairs
        return " | ".join(
            str(estimate([(p.tree, float(_wins(self.before, p, key))) for p in pairs]))
            for key in (_summed, _per_token)
        )

    def _scores(self, adapter: str | None) -> dict[str, Score]:
        """Return the scores of all held-out answers, each once."""
        wanted = [
            *(side for pair in self._lessons.held_out_pairs for side in (pair.better, pair.worse)),
            *(one.conversation for one in self._lessons.held_out_disliked),
        ]
        once = list({_key(conversation): conversation for conversation in wanted}.items())
        with self._adapters.using(adapter) as model:
            found = score(
                model, self._encoder, [conversation for _, conversation in once],
                max_tokens=MAX_TOKENS, on_progress=lambda *_: None,
            )  # fmt: skip
        return {key: one for (key, _), one in zip(once, found, strict=True)}


def _key(conversation: Conversation) -> str:
    return json.dumps([message.content for message in conversation.messages])


def _summed(scores: dict[str, Score], conversation: Conversation) -> float:
    """Log-likelihood of an answer."""
    return -scores[_key(conversation)].nll


def _per_token(scores: dict[str, Score], conversation: Conversation) -> float:
    return -scores[_key(conversation)].loss


def _wins(scores: dict[str, Score], pair: Pair, measure: Any) -> bool:
    return bool(measure(scores, pair.better) > measure(scores, pair.worse))


@pytest.mark.timeout(4 * 3_600)
def test_preferences_of_people(base: Path, lessons: Lessons, tmp_path: Path) -> None:
    judge = Judge(base, lessons)
    _tell(
        f"{len(lessons.pairs)} pairs and {len(lessons.disliked)} disliked answers learned from, "
        f"{len(lessons.held_out_pairs)} pairs and {len(lessons.held_out_disliked)} disliked answers held out, "
        f"{len({pair.tree for pair in lessons.held_out_pairs})} trees"
    )
    _tell(f"accuracy of the base, summed and per token: {judge.accuracy_before()}")
    _tell(
        "method | accuracy summed, per token | change of both | nats per token: better, worse, disliked, better - worse"
    )
    for name, (method, settings) in METHODS_TRIED.items():
        started = time.monotonic()
        result = _trained(
            method,
            settings,
            lessons.lines(method),
            base,
            tmp_path / name.replace(", ", "-").replace(" ", "-"),
        )
        took = time.monotonic() - started
        _tell(judge.report(name, result.artifact))
        _tell(
            f"  {result.steps} steps, {result.tokens:,} tokens, {took:,.0f} s; loss {result.first_loss:.3f} to {result.last_loss:.3f}; {dict(result.objective)}"
        )
        assert result.steps


def _tell(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()
