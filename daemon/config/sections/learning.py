"""Settings of the section ``learning``."""

from typing import Annotated, Literal

from pydantic import Field

from daemon.config.sections.base import Positive, Reloadable, Section, Share


class LearningSection(Section):
    """How to train an update."""

    where: Literal["process", "kubernetes"] = "process"
    """Where trainings run: in a child process of the daemon, or as Jobs of a Kubernetes cluster (section `kubernetes`)."""
    method: Literal["lora", "dpo", "kto"] = "lora"
    """Training method, of LoRA adapters. `lora` imitates good answers, each line by its weight. `dpo` also prefers the better
    answer of a pair over the worse one, such as a correction over what it corrects; it needs pairs. `kto` learns from answers
    that users liked and disliked, in pairs or alone; it needs both. `dpo` and `kto` need a `learning_rate` of about 1e-5, and
    may learn to please users, such as by agreeing with what is false."""
    beta: float = Field(0.1, gt=0, le=10)
    """Of `dpo` and `kto`: how strongly the update stays at the version that it starts from. Smaller: moves further away."""
    supervised_weight: float = Field(1.0, ge=0, le=100)
    """Of `dpo`: weight of imitating good answers beside preferring them. 0: only pairs are learned from."""
    rank: int = Field(16, ge=1, le=512)
    """LoRA rank. Larger: learns more, forgets more, larger artifacts."""
    alpha: float = Field(32.0, gt=0)
    """LoRA alpha; the update is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout in the LoRA layers."""
    epochs: float = Field(2.0, gt=0, le=100)
    """Passes over the training set."""
    learning_rate: float = Field(2e-4, gt=0, lt=1)
    """Peak learning rate, with warm-up and decay to 0. The setting with the largest effect: 1e-3 destroys old skills. For
    methods `dpo` and `kto` about 1e-5 is usual with LoRA."""
    warmup_share: Share = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Largest gradient norm; larger gradients are clipped."""
    tokens_per_step: Positive = 1_024
    """Tokens in an optimiser step. Larger: steadier and fewer steps."""
    max_tokens: Literal["auto"] | Annotated[int, Field(ge=32)] = "auto"
    """Most tokens of a prompt with its answers. Longer prompts lose exchanges from the middle of their history, answers are never cut. `auto`: what the model's context and half of the memory allow."""
    max_skipped: float = Field(0.9, ge=0, le=1)
    """Largest share of a training set that may be skipped because the model's chat template refuses it or it is too long;
    the run fails where more is. `retuned doctor` renders a sample. Smaller: a change of the stream is noticed sooner."""
    reasoning: Literal["include", "mask", "strip"] = "include"
    """What becomes of an answer's reasoning: `include` learns it, `mask` shows it without learning it, `strip` leaves it out."""
    fold_system: bool = True
    """Whether a system prompt becomes a part of the user's first turn where the model's chat template refuses one. `false`: such conversations are skipped."""
    replay_share: float = Field(0.1, ge=0, le=4)
    """Past conversations to mix in, as a share of the new ones. 0: the model forgets; 0.1 protects known topics."""
    seed: int = 0
    """Seed of the training."""
    timeout_s: Reloadable[float] = Field(6 * 3_600, gt=0)
    """Seconds after which the daemon stops a training."""
