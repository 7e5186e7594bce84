"""DPO's and KTO's losses and gradients on packed rows are those of TRL's trainers on padded batches."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from learners.encoding.chat import ChatEncoder
from learners.encoding.lessons import EncodedLesson, encode_lesson
from learners.method_names import MethodName, learns_from
from learners.models.loading import load_base
from learners.models.lora import adapter_config, attach, linears_of
from learners.models.tokenizer import load_tokenizer
from learners.training.objectives.dpo import DirectPreference
from learners.training.objectives.kto import KahnemanTversky
from learners.training.objectives.objective import Objective
from learners.types import Conversation, Message
from tests.factories.learners import quick_settings
from tests.support.tiny_model import make_tiny_model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
trl = pytest.importorskip("trl", reason="TRL is not installed")
datasets = pytest.importorskip("datasets", reason="datasets is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # TRL's and accelerate's own
    pytest.mark.timeout(300),
]
PAIRS = (
    ("What is the capital of France?", "The capital of France is Paris.", "It is sunny."),
    ("How are you today?", "I am fine, thank you. And you?", "What?"),
    ("Tell me about the weather, please.", "It is sunny and warm.", "I am sorry, we will send it again."),
    ("法国的首都是哪里？", "法国的首都是巴黎。", "今天天气很好。"),
)
BETA = 0.3
SETTINGS = quick_settings(max_tokens=128)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(base)


def adapted(base: Path, *, packed: bool) -> PeftModel:
    """A fresh adapter, which changes nothing yet; with our attention or with PyTorch's."""
    if packed:
        model = load_base(base, torch.float32, torch.device("cpu"))
    else:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa")
        model.requires_grad_(False)
    linears = linears_of(model)
    torch.manual_seed(0)
    return attach(model, adapter_config(SETTINGS, linears), linears).train()


def trained(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def move(model: PeftModel) -> None:
    """Move the adapter away from where it started, the same way each time."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for _, parameter in sorted(trained(model).items()):
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))


def pairs() -> list[Conversation]:
    return [
        Conversation(
            id=str(number),
            messages=(Message(role="user", content=asked), Message(role="assistant", content=better)),
            lesson="prefer",
            rejected=Message(role="assistant", content=worse),
        )
        for number, (asked, better, worse) in enumerate(PAIRS)
    ]


def encoded(tokenizer: PreTrainedTokenizerFast, method: MethodName) -> list[EncodedLesson]:
    encoder = ChatEncoder(tokenizer)
    return [
        encode_lesson(encoder, pair, learns=learns_from(method), compares=True, max_tokens=128)
        for pair in pairs()
    ]


def ours(
    base: Path, objective: Objective, rows: Sequence[Sequence[int]]
) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one step whose packed rows hold these units."""
    model = adapted(base, packed=True)
    objective.start(model, lambda: None)
    move(model)
    loss = 0.0
    for part in objective.parts(model, [list(row) for row in rows]):
        part.loss.backward()  # type: ignore[no-untyped-call]
        loss += part.loss.item()
    return loss, gradients(model)


def gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    return {name: value.grad for name, value in trained(model).items() if value.grad is not None}


def prompt_of(asked: str) -> str:
    return f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"


def theirs(trainer: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of all examples as one batch."""
    move(trainer.model)
    batch = trainer.data_collator(
        [trainer.train_dataset[place] for place in range(len(trainer.train_dataset))]
    )
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    return loss.item(), gradients(trainer.model)


def arguments(folder: Path, size: int) -> dict[str, object]:
    return {
        "output_dir": str(folder), "per_device_train_batch_size": size, "beta": BETA, "report_to": [], "use_cpu": True,
        "bf16": False, "gradient_checkpointing": False, "remove_unused_columns": False, "disable_dropout": True,
    }  # fmt: skip


def assert_same(
    one: tuple[float, dict[str, torch.Tensor]], other: tuple[float, dict[str, torch.Tensor]]
) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-5)
    assert one[1].keys() == other[1].keys() != set()
    for name, gradient in one[1].items():
        torch.testing.assert_close(gradient, other[1][name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rows", [[[0, 1, 2, 3]], [[2], [0, 3], [1]]], ids=["one row", "three rows"])
@pytest.mark.parametrize("share", [0.0, 0.7])
def test_dpo_is_that_of_trl(
    base: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, rows: list[list[int]], share: float
) -> None:
    columns = [
        {"prompt": prompt_of(asked), "chosen": better, "rejected": worse} for asked, better, worse in PAIRS
    ]
    types = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, share]} if share else {}
    trainer = trl.DPOTrainer(
        model=adapted(base, packed=False),
        args=trl.DPOConfig(**arguments(tmp_path, len(PAIRS)), **types),
        train_dataset=datasets.Dataset.from_list(columns),
        processing_class=tokenizer,
    )
    objective = DirectPreference(encoded(tokenizer, "dpo"), beta=BETA, supervised_weight=share)

    assert_same(ours(base, objective, rows), theirs(trainer))


@pytest.mark.parametrize(
    "rows", [[[*range(8)]], [[5, 0], [1, 2, 3, 4], [7, 6]]], ids=["one row", "three rows"]
)
def test_kto_is_that_of_trl(
    base: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, rows: list[list[int]]
) -> None:
    """In our order, a pair's answers are neighbours; TRL never looks whether prompts differ. So theirs stand apart."""
    columns = [
        {"prompt": prompt_of(asked), "completion": answer, "label": desirable}
        for asked, better, worse in PAIRS
        for answer, desirable in ((better, True), (worse, False))
    ]
    lessons = [lesson for lesson in encoded(tokenizer, "kto") for _ in "ab"]
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    apart = [
        EncodedLesson(
            id=lesson.id,
            weight=1.0,
            imitated=lesson.imitated if place % 2 == 0 else (),
            avoided=lesson.avoided if place % 2 else (),
            left_out={},
        )
        for place, lesson in enumerate(lessons)
    ]
    trainer = trl.KTOTrainer(
        model=adapted(base, packed=False),
        args=trl.KTOConfig(**arguments(tmp_path, 2 * len(PAIRS))),
        train_dataset=datasets.Dataset.from_list([columns[place] for place in order]),
        processing_class=tokenizer,
    )
    objective = KahnemanTversky([apart[place] for place in order], beta=BETA, max_tokens=128)

    assert_same(ours(base, objective, rows), theirs(trainer))
    assert trainer._metrics["train"]["kl"][-1] > 1, "the estimate was not in play"
