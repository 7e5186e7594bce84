"""Translates settings into the values that learners take."""

from daemon.config.settings import Settings
from daemon.domain.personal_data import PLACEHOLDERS
from learners.types import LoraSettings, Rendering


def lora_settings(settings: Settings) -> LoraSettings:
    """Return how an update is trained."""
    section = settings.learning
    return LoraSettings(
        rank=section.rank,
        alpha=section.alpha,
        dropout=section.dropout,
        epochs=section.epochs,
        learning_rate=section.learning_rate,
        warmup_share=section.warmup_share,
        weight_decay=section.weight_decay,
        max_grad_norm=section.max_grad_norm,
        tokens_per_step=section.tokens_per_step,
        max_tokens=section.max_tokens,
        dtype=settings.model.dtype,
        rendering=rendering(settings),
        beta=section.beta,
        supervised_weight=section.supervised_weight,
    )


def rendering(settings: Settings) -> Rendering:
    """Return how conversations become rows of tokens, in training and in scoring."""
    return Rendering(
        reasoning=settings.learning.reasoning,
        fold_system=settings.learning.fold_system,
        placeholders=PLACEHOLDERS,
    )
