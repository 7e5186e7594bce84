"""Packed rows give the same loss as conversations one by one; none sees another."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from learners.encoding.packing import pack, packed_row
from learners.encoding.rows import Encoded
from learners.models.attention import PACKED, attention_for
from learners.models.loading import load_base
from learners.training.loss import token_losses
from learners.training.schedule import learning_rate, plan_steps
from tests.support.devices import DEVICE
from tests.support.tiny_model import make_tiny_model

CPU, HERE = torch.device("cpu"), torch.device(DEVICE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module", params=[PACKED, "sdpa"])
def model(folder: Path, request: pytest.FixtureRequest) -> PreTrainedModel:
    """With our attention, and with PyTorch's behind transformers' mask, which other models use."""
    model = load_base(folder, torch.float32, HERE)
    if request.param == "sdpa":
        model.config.sliding_window = 10_000  # has no effect but that ours isn't used
    model.set_attn_implementation(attention_for(model.config, HERE))
    return model


def a_random_conversation(length: int, seed: int) -> Encoded:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 400, (length,), generator=generator).tolist()
    targets = torch.rand(length, generator=generator) < 0.5
    return Encoded(id=f"c{seed}", ids=tuple(ids), targets=(False, *targets[1:].tolist()))


CONVERSATIONS = [a_random_conversation(length, seed) for seed, length in enumerate([5, 90, 2, 600, 33, 17])]


def test_losses_of_a_packed_row_are_those_of_its_conversations(model: PreTrainedModel, folder: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        packed = token_losses(model, packed_row(CONVERSATIONS)).cpu()
        alone = []
        for conversation in CONVERSATIONS:
            logits = plain(input_ids=torch.tensor([conversation.ids])).logits[0, :-1].log_softmax(-1)
            losses = -logits.gather(1, torch.tensor(conversation.ids[1:])[:, None])[:, 0]
            alone.append(losses[torch.tensor(conversation.targets[1:])])

    torch.testing.assert_close(packed, torch.cat(alone), rtol=1e-4, atol=1e-4)


def test_gradients_of_a_packed_row_are_the_sum_of_its_conversations(model: PreTrainedModel) -> None:
    weight = model.get_parameter("model.layers.0.self_attn.k_proj.weight").requires_grad_()
    (packed,) = torch.autograd.grad(token_losses(model, packed_row(CONVERSATIONS)).sum(), weight)
    alone = torch.zeros_like(weight)
    for conversation in CONVERSATIONS:
        alone += torch.autograd.grad(token_losses(model, packed_row([conversation])).sum(), weight)[0]

    torch.testing.assert_close(packed, alone, rtol=1e-3, atol=1e-3)


def test_what_one_conversation_says_changes_nothing_in_the_next(model: PreTrainedModel) -> None:
    last = CONVERSATIONS[-1]
    with torch.inference_mode():
        after_one = token_losses(model, packed_row([CONVERSATIONS[1], last]))[-last.target_tokens :]
        after_other = token_losses(model, packed_row([a_random_conversation(90, 99), last]))[
            -last.target_tokens :
        ]

    torch.testing.assert_close(after_one, after_other, rtol=0, atol=1e-5)


def test_our_attention_is_kept_from_models_with_windows(folder: Path) -> None:
    config = load_base(folder, torch.float32, CPU).config
    config.sliding_window = 16

    assert attention_for(config, CPU) == "sdpa"


def test_rows_hold_each_conversation_once_and_are_nearly_full() -> None:
    lengths = [int(x) for x in torch.randint(20, 200, (500,), generator=torch.Generator().manual_seed(0))]

    rows = pack(lengths, 512)

    assert sorted(index for row in rows for index in row) == list(range(500))
    assert all(sum(lengths[index] for index in row) <= 512 for row in rows)
    assert sum(lengths) / (len(rows) * 512) > 0.98


def test_a_conversation_longer_than_a_row_has_one_of_its_own() -> None:
    assert sorted(pack([600, 10, 10], 512)) == [[0], [1, 2]]


def test_each_epoch_sees_all_conversations_in_another_order() -> None:
    steps = plan_steps([40] * 100, epochs=2.0, tokens_per_step=400, seed=0)
    half = len(steps) // 2
    first, second = (
        [i for step in part for row in step for i in row] for part in (steps[:half], steps[half:])
    )

    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second


def test_of_half_an_epoch_half_of_the_steps_are_taken() -> None:
    whole = plan_steps([40] * 100, epochs=1.0, tokens_per_step=400, seed=0)
    steps = plan_steps([40] * 100, epochs=1.5, tokens_per_step=400, seed=0)

    assert steps[: len(whole)] == whole
    assert len(steps) == len(whole) * 3 // 2


def test_large_steps_are_made_of_several_rows() -> None:
    steps = plan_steps([100] * 100, epochs=1.0, tokens_per_step=1024, seed=0)

    assert all(len(step) == 2 for step in steps)
    assert all(sum(map(len, step)) == 10 for step in steps)


def test_the_learning_rate_rises_then_falls_and_the_last_step_still_learns() -> None:
    rates = [learning_rate(step, 10, peak=1.0, warmup_share=0.2) for step in range(10)]

    assert rates == [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
