"""Turns sections of the settings into the plain values that policy, training sets and learners take."""

from datetime import timedelta

from daemon.config.settings import Settings
from daemon.training.curation import CurationLimits
from daemon.training.dataset import DatasetSettings
from daemon.training.policy import PolicySettings
from learners.types import LoraSettings


def policy_settings(settings: Settings) -> PolicySettings:
    """Return when to train."""
    section = settings.policy
    return PolicySettings(
        on_drift=section.on_drift,
        triage=section.triage,
        after_conversations=section.after_conversations,
        min_new_conversations=section.min_new_conversations,
        cooldown=timedelta(seconds=section.cooldown_s),
    )


def dataset_settings(settings: Settings) -> DatasetSettings:
    """Return how much a run learns from."""
    return DatasetSettings(
        max_new=settings.policy.max_new_conversations,
        replay_share=settings.learning.replay_share,
        seed=settings.learning.seed,
        caps=CurationLimits(
            similarity=settings.curation.similarity,
            per_cluster=settings.curation.per_cluster,
            user_share=settings.curation.user_share,
            source_share=settings.curation.source_share,
            own_share=settings.curation.own_share,
        ),
    )


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
    )
