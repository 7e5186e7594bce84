"""Generates answers: greedily, several prompts at a time."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from peft import PeftModel
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerFast

from learners.encoding.chat import ChatEncoder
from learners.encoding.packing import ROW_TOKENS, pack
from learners.errors import BadRequest
from learners.models.attention import PACKED, attention_for
from learners.scoring.batch_cache import BatchCache, can_be_batched
from learners.training.loss import mixed_precision
from learners.types import Answer, Conversation

OnProgress = Callable[[int, int], None]  # prompts done, of how many
#: Most prompts of a batch. Each step reads all weights once, whatever the number of prompts.
_BATCH_ROWS = 64
#: Most tokens of a batch, new ones and padding included: they bound the memory of its keys and values.
_BATCH_TOKENS = 16_384


class _Written(NamedTuple):
    """What was generated after one prompt."""

    ids: list[int]  # the token that ended it included
    ended: bool


@torch.inference_mode()
def answers(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    encoder: ChatEncoder,
    conversations: Sequence[Conversation],
    *,
    max_new_tokens: int,
    seconds: float | None,
    on_progress: OnProgress,
    clock: Callable[[], float] = time.monotonic,
) -> list[Answer]:
    """Return what the model answers to each conversation, in their order: always the likeliest token.

    Left out are prompts that the template refuses or that don't fit into the model's context with ``max_new_tokens``, and
    those that were not reached in ``seconds``. Prompts are taken in the order given, a batch at a time. A batch that is
    not finished in time is left out as a whole, as its short answers alone would be a biased sample: ask for few prompts
    at a time where time is short. In float32 answers do not depend on the batch; in bfloat16 two tokens may change places
    that are equally likely but for rounding.

    Raises BadRequest if none of the prompts can be answered.
    """
    decoder = _Decoder(model, tokenizer, encoder)
    prompts = _prompts(encoder, conversations, max_new_tokens, decoder.context)
    end = None if seconds is None else clock() + seconds
    waiting = list(prompts)
    found: dict[int, _Written] = {}
    while waiting:
        size = _batch_size([len(prompts[index]) for index in waiting], max_new_tokens, decoder.most_rows)
        batch, waiting = waiting[:size], waiting[size:]
        written = decoder.write(
            [prompts[index] for index in batch],
            max_new_tokens,
            expired=lambda: end is not None and clock() >= end,
        )
        if written is None:
            break
        found |= dict(zip(batch, written, strict=True))
        on_progress(len(conversations) - len(waiting), len(conversations))
    return [decoder.answer(conversations[index].id, written) for index, written in found.items()]


def _prompts(
    encoder: ChatEncoder, conversations: Sequence[Conversation], max_new_tokens: int, context: int | None
) -> dict[int, list[int]]:
    """Return the tokens of the prompts that can be answered, by their indexes. Raises BadRequest if none can."""
    if max_new_tokens < 1:
        raise BadRequest(f"max_new_tokens must be at least 1, not {max_new_tokens}")
    prompts: dict[int, list[int]] = {}
    reason: BadRequest | None = None
    for index, conversation in enumerate(conversations):
        try:
            ids = encoder.prompt(conversation)
        except BadRequest as refused:
            reason = refused
            continue
        if context is None or len(ids) + max_new_tokens <= context:
            prompts[index] = ids
        else:
            reason = BadRequest(
                f"{len(ids)} tokens and {max_new_tokens} new ones don't fit into a context of {context}"
            )
    if reason is not None and not prompts:
        raise reason
    return prompts


def _batch_size(lengths: Sequence[int], max_new_tokens: int, most_rows: int) -> int:
    """Return how many of the first prompts make a batch: as many as rows and tokens allow, one at least."""
    longest = 0
    for rows, length in enumerate(lengths[:most_rows], start=1):
        longest = max(longest, length)
        if rows > 1 and rows * (longest + max_new_tokens) > _BATCH_TOKENS:
            return rows - 1
    return min(len(lengths), most_rows)


class _Decoder:
    """Decodes greedily with one model, a batch of prompts at a time."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerFast,
        encoder: ChatEncoder,
    ) -> None:
        self._precision = mixed_precision(model)
        inner = model.get_base_model() if isinstance(model, PeftModel) else model
        self._model = cast(PreTrainedModel, inner)
        self._tokenizer = tokenizer
        eos = tokenizer.eos_token_id
        self._ends = frozenset(encoder.ends if eos is None else (*encoder.ends, eos))
        self._packs = attention_for(self._model.config, self._model.device) == PACKED
        self._batched = can_be_batched(self._model)

    @property
    def context(self) -> int | None:
        """The most tokens of prompt and answer; None if the model sets no limit."""
        return getattr(self._model.config.get_text_config(), "max_position_embeddings", None)

    @property
    def most_rows(self) -> int:
        """The most prompts of a batch."""
        return _BATCH_ROWS if self._batched else 1

    def write(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, *, expired: Callable[[], bool]
    ) -> list[_Written] | None:
        """Return what is generated after each prompt; None if the time was over before all of them had ended."""
        if expired():
            return None
        with self._precision:
            cache, tokens = self._prefilled(prompts, max_new_tokens)
            batch = _Batch(cache, tokens, prompts, max_new_tokens, self._ends)
            while batch.rows:
                if expired():
                    return None
                output = self._model(**batch.inputs(), use_cache=True, logits_to_keep=1)
                tokens = output.logits[:, -1].float().argmax(-1)
                batch.add(tokens)
        return batch.written

    def answer(self, id_: str, written: _Written) -> Answer:
        """Return the answer as text."""
        ids = written.ids[:-1] if written.ended else written.ids
        return Answer(
            id=id_,
            text=str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip(),
            raw=str(self._tokenizer.decode(ids, skip_special_tokens=False)),
            ended=written.ended,
            tokens=len(written.ids),
        )

    def _prefilled(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int
    ) -> tuple[BatchCache | DynamicCache, torch.Tensor]:
        """Return the cache of all prompts and the first token after each."""
        if not self._batched:
            cache = DynamicCache(config=self._model.config)
            return cache, self._prefill(prompts, cache)
        lengths = [len(prompt) for prompt in prompts]
        batch = BatchCache(rows=len(prompts), width=max(lengths), capacity=max(lengths) + max_new_tokens)
        first = torch.empty(len(prompts), dtype=torch.long, device=self._model.device)
        packed = pack(lengths, ROW_TOKENS) if self._packs else [[row] for row in range(len(prompts))]
        for rows in packed:
            cache = DynamicCache()
            first[rows] = self._prefill([prompts[row] for row in rows], cache)
            batch.fill(cache, [(row, lengths[row]) for row in rows])
        return batch, first

    def _prefill(self, prompts: Sequence[Sequence[int]], cache: DynamicCache) -> torch.Tensor:
        """Write packed prompts into a cache; return the likeliest token after each. Several need packed attention."""
        device = self._model.device
        lengths = [len(prompt) for prompt in prompts]
        extra = {"segments": tuple(lengths)} if self._packs else {}
        output = self._model(
            input_ids=torch.tensor([[id_ for prompt in prompts for id_ in prompt]], device=device),
            position_ids=torch.cat([torch.arange(length, device=device) for length in lengths])[None],
            logits_to_keep=torch.tensor(lengths, device=device).cumsum(0) - 1,
            past_key_values=cache,
            use_cache=True,
            **extra,
        )
        return cast(torch.Tensor, output.logits[0].float().argmax(-1))


class _Batch:
    """The sequences of a batch, and what was written in each. Those that have ended leave it."""

    def __init__(
        self,
        cache: BatchCache | DynamicCache,
        first: torch.Tensor,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        ends: frozenset[int],
    ) -> None:
        """``first``: the first token after each prompt."""
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=first.device)
        self._cache = cache
        self._most = max_new_tokens
        self._ends = ends
        self._width = int(lengths.max())
        places = torch.arange(self._width + max_new_tokens, device=first.device)
        self._mask = places >= (self._width - lengths)[:, None]
        self._positions = lengths[:, None] - 1  # of the newest token
        self._tokens = first[:, None]
        self._steps = 0
        self._ids: list[list[int]] = [[] for _ in prompts]
        self._ended = [False] * len(prompts)
        self.rows = list(range(len(prompts)))  # of each row of the tensors: its place in the batch
        self.add(first)

    @property
    def written(self) -> list[_Written]:
        return [_Written(ids, ended) for ids, ended in zip(self._ids, self._ended, strict=True)]

    def inputs(self) -> dict[str, object]:
        """Return the model's arguments for the next token of each sequence."""
        rows = len(self.rows)
        return {
            "input_ids": self._tokens[:rows],
            "attention_mask": self._mask[:rows, : self._width + self._steps],
            "position_ids": self._positions[:rows],
            "past_key_values": self._cache,
        }

    def add(self, tokens: torch.Tensor) -> None:
        """Write the next token of each sequence, and take out those that end with it."""
        self._tokens[: len(self.rows), 0] = tokens
        self._positions += 1
        self._steps += 1
        over = self._steps == self._most
        finished = []
        for row, token in enumerate(tokens.tolist()):
            place = self.rows[row]
            self._ids[place].append(token)
            self._ended[place] = token in self._ends
            if over or self._ended[place]:
                finished.append(row)
        if over:
            self.rows.clear()
            return
        for row in reversed(finished):
            self._take_out(row)

    def _take_out(self, row: int) -> None:
        """Put the last row in this one's place."""
        last = len(self.rows) - 1
        if row != last:
            for tensor in (self._mask, self._positions, self._tokens):
                tensor[row] = tensor[last]
            assert isinstance(self._cache, BatchCache)  # noqa: S101 (others hold one sequence)
            self._cache.move(last, row)
            self.rows[row] = self.rows[last]
        self.rows.pop()
