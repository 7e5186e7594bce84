"""Turns sections of the settings into the plain values that each package takes."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from daemon.ceiling import Ceiling
from daemon.curation import Caps
from daemon.dataset import DatasetSettings
from daemon.decoding import Limits
from daemon.hygiene.admission import Admission
from daemon.hygiene.bursts import BurstLimit
from daemon.hygiene.redaction import Redactor
from daemon.kafka_settings import KafkaSettings
from daemon.ledger.history_retention import KeepHistory
from daemon.ledger.retention import Keep
from daemon.pem import authority_problem, pair_problems
from daemon.policy import PolicySettings
from daemon.settings import KafkaSection, Settings
from daemon.settings_file import Mistake, SettingsError, read_secret
from daemon.standing import LOOKS
from learners.types import LoraSettings
from monitors.evidence import Minimum
from monitors.suite import MonitorSettings
from monitors.types import PLAIN_ASPECTS, Aspect
from registry.gate import GateSettings


def kafka_settings(settings: Settings) -> KafkaSettings:
    """Return how to reach Kafka, secrets read. Raises SettingsError where a file can't be used."""
    kafka = settings.kafka
    if mistakes := tuple(_pem_mistakes(kafka)):
        raise SettingsError(mistakes)
    return KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic=kafka.topic,
        dead_letter_topic=kafka.dead_letter_topic,
        group_id=kafka.group_id,
        instance_id=kafka.instance_id,
        client_id=f"retuned-{settings.model_line}",
        session_timeout_ms=kafka.session_timeout_ms,
        heartbeat_interval_ms=kafka.heartbeat_interval_ms,
        max_poll_records=kafka.max_poll_records,
        max_batch_bytes=kafka.max_batch_bytes,
        stalled_after_s=kafka.stalled_after_s,
        api_version=_version(kafka.api_version),
        security_protocol=kafka.security_protocol,
        ssl_cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None,
        ssl_certfile=str(kafka.ssl_certfile) if kafka.ssl_certfile else None,
        ssl_keyfile=str(kafka.ssl_keyfile) if kafka.ssl_keyfile else None,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=read_secret(kafka.sasl_password, kafka.sasl_password_file),
    )


def _version(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    major, minor = text.split(".")
    return int(major), int(minor)


def _pem_mistakes(kafka: KafkaSection) -> Iterator[Mistake]:
    if kafka.ssl_cafile and (problem := authority_problem(kafka.ssl_cafile)):
        yield Mistake(path="kafka.ssl_cafile", problem=problem, source=str(kafka.ssl_cafile))
    if kafka.ssl_certfile:
        for file, problem in pair_problems(kafka.ssl_certfile, kafka.ssl_keyfile):
            name = "kafka.ssl_keyfile" if file == kafka.ssl_keyfile else "kafka.ssl_certfile"
            yield Mistake(path=name, problem=problem, source=str(file))


def limits(settings: Settings) -> Limits:
    """Return what a record may look like."""
    section = settings.limits
    return Limits(
        max_record_bytes=section.record_bytes,
        max_messages=section.messages,
        max_content_chars=section.message_chars,
    )


def monitor_settings(settings: Settings) -> MonitorSettings:
    """Return how drift is judged. What the settings call a full window or reference is enough for a verdict."""
    section, windows, usual = settings.monitors, settings.windows, Minimum()
    return MonitorSettings(
        minimum=replace(
            usual,
            window=min(usual.window, windows.size, windows.min_size),
            reference=min(usual.reference, windows.reference_size),
        ),
        conversations_between_false_alarms=section.conversations_between_false_alarms,
        confirmation_level=section.confirmation_level / LOOKS,
        seed=section.seed,
        cycle_days=windows.reference_days,
    )


def aspects(settings: Settings) -> tuple[Aspect, ...]:
    """Return what the detector bets on."""
    configured = {
        Aspect.LABEL: bool(settings.monitors.label_fields),
        Aspect.EMBEDDING: settings.monitors.embedding.model is not None,
    }
    return (*PLAIN_ASPECTS, *(aspect for aspect, wanted in configured.items() if wanted))


def late_aspects(settings: Settings) -> tuple[Aspect, ...]:
    """Return what the detector hears of after it has seen a conversation."""
    loss = (Aspect.CONCEPT,) if settings.monitors.loss_share else ()
    return (Aspect.QUALITY, Aspect.FEEDBACK_RATE, *loss)


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
        caps=Caps(
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


def gate_settings(settings: Settings) -> GateSettings:
    """Return what a candidate must show."""
    section = settings.gate
    return GateSettings(
        alpha=section.alpha, margin=section.margin, min_gain=section.min_gain, max_looks=section.max_looks
    )


def ceiling(settings: Settings) -> Ceiling:
    """Return how many records may be dead letters."""
    section = settings.dead_letters
    return Ceiling(share=section.max_share, records=section.among, run=section.max_run)


def redactor(settings: Settings) -> Redactor:
    """Return what takes personal data out."""
    return Redactor(settings.hygiene.redact, phone_regions=settings.hygiene.phone_regions)


def admission(settings: Settings) -> Admission:
    """Return whose conversations may be kept."""
    section = settings.hygiene
    tenants = None if section.tenants is None else frozenset(section.tenants)
    return Admission(tenant_field=section.tenant_field, tenants=tenants, consent_field=section.consent_field)


def burst_limit(settings: Settings) -> BurstLimit | None:
    """Return how much one user may say."""
    section = settings.hygiene
    if section.burst_conversations is None:
        return None
    return BurstLimit(conversations=section.burst_conversations, within=timedelta(seconds=section.burst_s))


def keep(settings: Settings) -> Keep:
    """Return how many conversations stay."""
    section = settings.retention
    return Keep(
        conversations=section.conversations,
        sample=section.sample,
        max_age=_days(section.max_age_days),
        known=section.known_ids,
        feedback=timedelta(days=section.feedback_days),
    )


def keep_history(settings: Settings) -> KeepHistory:
    """Return how much of the past can be looked up."""
    section = settings.retention
    longest = min(section.dead_letters_days, section.max_age_days or math.inf)
    return KeepHistory(
        rows=section.history,
        reports=section.reports,
        dead_letters=section.dead_letters,
        dead_letter_age=timedelta(days=longest),
        text_age=_days(section.max_age_days),
    )


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
