"""Scores conversations under a model, and generates answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from learners.encoding.chat import ChatEncoder, Encoded
from learners.encoding.packing import ROW_TOKENS, PackedRow, pack, packed_row
from learners.errors import BadRequest
from learners.training.loss import mixed_precision, token_losses
from learners.types import Conversation, Message, Score, Surprisals

OnProgress = Callable[[int, int], None]  # conversations done, of how many
#: Small models repeat themselves when they always take the likeliest word; this is a usual, mild remedy.
_REPETITION_PENALTY = 1.1


@torch.inference_mode()
def score(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int,
    on_progress: OnProgress,
) -> list[Score]:
    """Return the loss of each conversation's assistant turns, as training counts it, in the order given.

    A conversation that can't be scored has 0 tokens.
    """
    scores = [Score(id=conversation.id, nll=0.0, tokens=0) for conversation in conversations]
    for scored in _scored(model, encoder, conversations, max_tokens=max_tokens, on_progress=on_progress):
        sums = torch.zeros(len(scored.places), dtype=torch.float64)
        sums.index_add_(0, scored.row.owners, scored.losses)
        for place, nll, tokens in zip(scored.places, sums.tolist(), scored.target_tokens, strict=True):
            scores[place] = Score(id=scores[place].id, nll=nll, tokens=tokens)
    return scores


@torch.inference_mode()
def surprisals(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int,
    on_progress: OnProgress,
) -> list[Surprisals]:
    """Return the loss of each token of the assistant turns, in the order given; their sums are those of ``score``."""
    found = [Surprisals(id=conversation.id, tokens=(), nats=()) for conversation in conversations]
    for scored in _scored(model, encoder, conversations, max_tokens=max_tokens, on_progress=on_progress):
        tokens = torch.split(scored.row.labels, scored.target_tokens)
        nats = torch.split(scored.losses, scored.target_tokens)
        for place, ids, losses in zip(scored.places, tokens, nats, strict=True):
            found[place] = Surprisals(
                id=found[place].id, tokens=tuple(ids.tolist()), nats=tuple(losses.tolist())
            )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _ScoredRow:
    """A packed row with the loss of each of its targets."""

    places: list[int]  # of its conversations among all
    target_tokens: list[int]  # of each of them
    row: PackedRow
    losses: torch.Tensor  # (targets,), float64, on the CPU


def _scored(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int,
    on_progress: OnProgress,
) -> Iterator[_ScoredRow]:
    """Score what can be scored, row by row."""
    results = [
        encoder.encode(conversation.id, conversation.messages, max_tokens=max_tokens)
        for conversation in conversations
    ]
    places = [place for place, result in enumerate(results) if isinstance(result, Encoded)]
    encoded = [result for result in results if isinstance(result, Encoded)]
    done = len(results) - len(encoded)
    for indices in pack([len(item.ids) for item in encoded], ROW_TOKENS):
        row = packed_row([encoded[index] for index in indices])
        yield _ScoredRow(
            places=[places[index] for index in indices],
            target_tokens=[encoded[index].target_tokens for index in indices],
            row=row,
            losses=token_losses(model, row).to("cpu", torch.float64),
        )
        done += len(indices)
        on_progress(done, len(results))


@torch.inference_mode()
def generate(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    encoder: ChatEncoder,
    messages: Sequence[Message],
    *,
    max_new_tokens: int,
) -> str:
    """Return the assistant's next turn, decoded greedily.

    Raises BadRequest if conversation and answer don't fit into the model's context.
    """
    prompt = encoder.prompt(messages)
    room = model.config.max_position_embeddings
    if max_new_tokens < 1 or len(prompt) + max_new_tokens > room:
        raise BadRequest(
            f"{len(prompt)} tokens and {max_new_tokens} new ones don't fit into a context of {room}"
        )
    ids = torch.tensor([prompt], device=model.device)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_new_tokens,
        do_sample=False,
        repetition_penalty=_REPETITION_PENALTY,
        eos_token_id=sorted({encoder.end_of_turn, tokenizer.eos_token_id or encoder.end_of_turn}),
        pad_token_id=encoder.end_of_turn,
    )
    with mixed_precision(model):
        output = model.generate(  # type: ignore[operator]
            input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
        )
    text = tokenizer.decode(output[0, len(prompt) :], skip_special_tokens=True)
    return str(text).strip()
