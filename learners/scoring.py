"""Scores conversations under a model, and lets it answer."""

from collections.abc import Callable, Sequence

import torch
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from learners.chat import ChatEncoder, Encoded
from learners.errors import BadRequest
from learners.loss import mixed_precision, token_losses
from learners.packing import ROW_TOKENS, pack, packed_row
from learners.types import Conversation, Message, Score

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
    """The loss of each conversation's assistant turns, as training counts it, in the order given.

    A conversation that can't be scored has 0 tokens.
    """
    results = [encoder.encode(talk.id, talk.messages, max_tokens=max_tokens) for talk in conversations]
    scores = [Score(id=talk.id, nll=0.0, tokens=0) for talk in conversations]
    places = [place for place, result in enumerate(results) if isinstance(result, Encoded)]
    encoded = [result for result in results if isinstance(result, Encoded)]
    done = len(results) - len(encoded)
    for indices in pack([len(item.ids) for item in encoded], ROW_TOKENS):
        row = packed_row([encoded[index] for index in indices])
        losses = token_losses(model, row).to("cpu", torch.float64)
        sums = torch.zeros(len(indices), dtype=torch.float64).index_add_(0, row.owners, losses)
        for index, nll in zip(indices, sums.tolist(), strict=True):
            scores[places[index]] = Score(id=encoded[index].id, nll=nll, tokens=encoded[index].target_tokens)
        done += len(indices)
        on_progress(done, len(results))
    return scores


@torch.inference_mode()
def generate(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    encoder: ChatEncoder,
    messages: Sequence[Message],
    *,
    max_new_tokens: int,
) -> str:
    """The assistant's next turn, always the likeliest word: the same conversation, the same answer.

    Raises BadRequest where the conversation and the answer don't fit into the model's context.
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
