"""Turns sections of the settings into the plain values that each package takes."""

from datetime import timedelta

from daemon.ceiling import Ceiling
from daemon.curation import Caps
from daemon.dataset import DatasetSettings
from daemon.decoding import Limits
from daemon.hygiene.admission import Admission
from daemon.hygiene.redaction import Redactor
from daemon.kafka_settings import KafkaSettings
from daemon.policy import PolicySettings
from daemon.settings import Settings
from daemon.settings_file import read_secret
from learners.types import LoraSettings
from monitors.suite import MonitorSettings
from registry.gate import GateSettings


def kafka_settings(settings: Settings) -> KafkaSettings:
    """Return how to reach Kafka, secrets read. Raises SettingsError where a secret's file can't be read."""
    kafka = settings.kafka
    return KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic=kafka.topic,
        dead_letter_topic=kafka.dead_letter_topic,
        group_id=kafka.group_id,
        client_id=f"retuned-{settings.model_line}",
        session_timeout_ms=kafka.session_timeout_ms,
        heartbeat_interval_ms=kafka.heartbeat_interval_ms,
        max_poll_records=kafka.max_poll_records,
        max_batch_bytes=kafka.max_batch_bytes,
        stalled_after_s=kafka.stalled_after_s,
        security_protocol=kafka.security_protocol,
        ssl_cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None,
        ssl_certfile=str(kafka.ssl_certfile) if kafka.ssl_certfile else None,
        ssl_keyfile=str(kafka.ssl_keyfile) if kafka.ssl_keyfile else None,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=read_secret(kafka.sasl_password, kafka.sasl_password_file),
    )


def limits(settings: Settings) -> Limits:
    """Return what a record may look like."""
    section = settings.limits
    return Limits(
        max_record_bytes=section.record_bytes,
        max_messages=section.messages,
        max_content_chars=section.message_chars,
    )


def monitor_settings(settings: Settings) -> MonitorSettings:
    """Return how drift is judged."""
    section = settings.monitors
    return MonitorSettings(
        conversations_between_false_alarms=section.conversations_between_false_alarms, seed=section.seed
    )


def policy_settings(settings: Settings) -> PolicySettings:
    """Return when to train."""
    section = settings.policy
    return PolicySettings(
        on_drift=section.on_drift,
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
