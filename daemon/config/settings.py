"""What can be set in ``retuned.yaml``: every field with its unit, default and what changing it costs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from daemon.domain.personal_data import PersonalData

_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class KafkaSection(_Section):
    """The stream of conversations."""

    bootstrap_servers: tuple[str, ...] = Field(("localhost:9092",), min_length=1)
    """host:port of some brokers; more than one keeps the start-up safe when one is down."""
    topic: str = Field("conversations", pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """Topic to read conversations and feedback from."""
    dead_letter_topic: str = Field("conversations.dead", pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """Topic that unusable records go to, with reason and coordinates."""
    group_id: str = Field("retuned", min_length=1)
    """Consumer group. Replicas of one model line share it; two model lines need two."""
    instance_id: str | None = Field(None, pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """A name of this replica's own that lasts, such as a StatefulSet's pod name (static membership). With it a replica
    that died has its partitions back as soon as it is; without, after session_timeout_ms. Two replicas need two."""
    session_timeout_ms: int = Field(10_000, ge=500)
    """Milliseconds until a silent member is replaced. Smaller: faster takeover, more false rebalances."""
    heartbeat_interval_ms: int = Field(3_000, ge=100)
    """Milliseconds between heartbeats; at most a third of the session time-out."""
    max_poll_records: _Positive = 2_000
    """Records a poll returns at most, and a ledger transaction holds. Larger: faster, more memory."""
    max_batch_bytes: int = Field(64 * 2**20, ge=2**20)
    """Bytes that a compressed record batch may hold. Intake halts at a larger one. Larger: up to four times that in memory."""
    stalled_after_s: float = Field(60.0, gt=0)
    """Seconds of polling without a record, though there are some, after which intake halts and says so."""
    api_version: str | None = Field(None, pattern=r"^\d+\.\d+$", coerce_numbers_to_str=True)
    """Newest version of Kafka's protocol to speak, such as "2.3", at least 0.11. Only for a broker that can't say what it
    speaks. Below 2.8 topics have no ids, so one that was made anew is known by its offsets alone; below 2.4 doctor
    can't create topics."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to talk to the broker. Use SSL or SASL_SSL wherever the network isn't your own."""
    ssl_cafile: Path | None = None
    """PEM file of the authority that signed the broker's certificate."""
    ssl_certfile: Path | None = None
    """PEM file of the client's certificate, for mutual TLS."""
    ssl_keyfile: Path | None = None
    """PEM file of the client's private key, for mutual TLS."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """SASL mechanism; needed with SASL_* protocols."""
    sasl_username: str | None = None
    """SASL user name."""
    sasl_password: SecretStr | None = None
    """SASL password. Better: sasl_password_file, or RETUNED_KAFKA_SASL_PASSWORD_FILE."""
    sasl_password_file: Path | None = None
    """File that holds the SASL password (a mounted secret)."""

    @field_validator("api_version")
    @classmethod
    def _known_version(cls, value: str | None) -> str | None:
        if value is not None and tuple(map(int, value.split("."))) < (0, 11):
            raise ValueError("must be at least 0.11, the first with headers and idempotent producers")
        return value

    @model_validator(mode="after")
    def _sections_agree(self) -> "KafkaSection":
        mistakes = [*self._sasl_mistakes(), *self._tls_mistakes()]
        if self.heartbeat_interval_ms * 3 > self.session_timeout_ms:
            mistakes.append("heartbeat_interval_ms must be at most a third of session_timeout_ms")
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _sasl_mistakes(self) -> Iterator[str]:
        given = {
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_username": self.sasl_username,
            "sasl_password_file (or sasl_password)": self.sasl_password or self.sasl_password_file,
        }
        missing = [name for name, value in given.items() if not value]
        if self.security_protocol.startswith("SASL"):
            if missing:
                yield f"{self.security_protocol} needs {', '.join(missing)}"
        elif len(missing) < len(given):
            protocol = "SASL_SSL" if self.security_protocol == "SSL" else "SASL_SSL or SASL_PLAINTEXT"
            yield f"security_protocol {self.security_protocol} uses no SASL settings: set it to {protocol}, or leave them out"

    def _tls_mistakes(self) -> Iterator[str]:
        names = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
        unused = [name for name in names if getattr(self, name) is not None]
        if unused and not self.security_protocol.endswith("SSL"):
            yield f"security_protocol {self.security_protocol} uses no TLS: set it to SSL or SASL_SSL, or leave {', '.join(unused)} out"
        if self.ssl_keyfile and not self.ssl_certfile:
            yield "ssl_keyfile needs ssl_certfile, the certificate that the key belongs to"


class ModelSection(_Section):
    """The base model that is kept tuned."""

    base: str = Field(min_length=1)
    """Folder in Hugging Face layout, or a hub name that is already in the local cache."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$")
    """Where to train and score: auto (a GPU where there is one), cpu, cuda or cuda:N."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the frozen base. auto: bfloat16 where the hardware computes it, about twice as fast."""
    threads: int = Field(0, ge=0)
    """CPU threads of a child process; 0: as many as there are cores."""


class LimitsSection(_Section):
    """What a record may look like. A record beyond it is a dead letter."""

    record_bytes: _Positive = 1_048_576
    """Bytes of one record, checked before it is parsed."""
    messages: _Positive = 200
    """Messages of one conversation."""
    message_chars: _Positive = 32_000
    """Characters of one message."""


class DeadLettersSection(_Section):
    """Records that can't be used."""

    keep: Literal["bytes", "digest"] = "bytes"
    """bytes: kept as they came, so that they can be put back; they may hold personal data. digest: only their sha256."""
    max_share: float = Field(0.5, gt=0, le=1)
    """Share of the latest records beyond which intake halts rather than drain the topic into the dead letters."""
    among: int = Field(1_000, ge=10)
    """How many of the latest records that share is of. Larger: slower to halt, steadier."""
    max_run: int = Field(100, ge=1)
    """Dead letters in a row at which intake halts; fewer dead letters than that never halt it."""


class HygieneSection(_Section):
    """What is taken out of records, and whose are kept at all, before anything is stored."""

    redact: tuple[PersonalData, ...] = tuple(PersonalData)
    """Kinds of personal data that are replaced by their name, such as [EMAIL]. An empty list keeps everything."""
    phone_regions: tuple[str, ...] = ("CN", "US")
    """Where phone numbers without a country code are dialled (ISO 3166). More: more is found, a little slower."""
    tenant_field: str = "tenant"
    """Field of a conversation's metadata that names who produced it."""
    tenants: tuple[str, ...] | None = None
    """Tenants whose conversations are kept; others, and those that name none, are dropped. Unset: all are kept."""
    consent_field: str | None = None
    """Field of the metadata that must be true for a conversation to be kept. Unset: none is asked for."""
    burst_conversations: _Positive | None = 200
    """Conversations of one user within burst_s; what comes above is set aside as a dead letter (reason burst), so that
    a flood moves neither windows nor training. Unset: no bound, for lines whose user ids name no single users."""
    burst_s: float = Field(3_600, ge=1)
    """Seconds that burst_conversations are counted over, by the conversations' own times."""

    @field_validator("phone_regions")
    @classmethod
    def _known_regions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        strange = [region for region in value if not re.fullmatch("[A-Z]{2}", region)]
        if strange:
            raise ValueError(f"{', '.join(strange)}: write regions as two capitals, such as CN")
        return value


class HoldoutSection(_Section):
    """Conversations that are never trained on; versions are judged on them."""

    share: float = Field(0.1, gt=0, lt=0.9)
    """Share of users held out. Larger: surer gates sooner, less to learn from."""
    key_file: Path | None = None
    """File with the key of the hash that splits users; made in state_dir when unset. Changing it is refused,
    as conversations would change sides."""


class WindowsSection(_Section):
    """Runs of conversations that monitors judge."""

    size: int = Field(100, ge=20)
    """Conversations in a window. Larger: finer changes are seen, later."""
    max_age_s: float = Field(3_600, gt=0)
    """Seconds after which a window is closed early, if it has min_size conversations."""
    min_size: int = Field(50, ge=10)
    """Conversations below which a window is never closed."""
    reference_size: int = Field(500, ge=50)
    """Conversations that later windows are compared with, drawn evenly from the time that the reference spans."""
    reference_days: float = Field(7.0, ge=0)
    """Days that the reference comes to span, so that a night or a weekend is no change: 7 is a week, with its days. It is
    in use from reference_size conversations on and widened as time goes by. 0: as soon as there are enough, for streams
    without cycles, demos and tests."""


class EmbeddingSection(_Section):
    """A model that turns what users say into vectors, such as one of sentence-transformers. None is needed."""

    model: str | None = Field(None, min_length=1)
    """Folder with a tokenizer.json and safetensors weights, or a hub name that is already in the local cache. Unset: none."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$")
    """Where it runs: auto (a GPU where there is one), cpu, cuda or cuda:N."""
    max_tokens: int = Field(256, ge=16)
    """Tokens of a conversation that it reads, at most what the model can. Larger: slower."""
    batch: int = Field(32, ge=1)
    """Conversations that it reads at once. Larger: faster on a GPU, more memory."""


class MonitorsSection(_Section):
    """How drift is judged."""

    conversations_between_false_alarms: int = Field(20_000, ge=100)
    """The one number to choose: how rare false alarms are. Larger: fewer of them, later detection."""
    confirmation_level: float = Field(0.05, gt=0, lt=1)
    """Chance that up to three fresh windows confirm an alarm of chance. Smaller: weak changes stay unconfirmed."""
    label_fields: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field((), max_length=8)
    """Fields of a conversation's metadata that hold labels, such as [intent]. A change of their mix is drift too."""
    loss_share: float = Field(0.05, ge=0, le=1)
    """Share of the conversations that are scored under the live version, so that a change in what the right answers are is
    seen. Larger: sooner seen, more work for the scorer. 0: none are, and its loss is no aspect of the detector."""
    feedback_wait_h: float = Field(24, gt=0, le=8_760)
    """Hours that users have to say what they think of a conversation, before they count as silent. Larger: a change in how
    many say something is seen later."""
    embedding: EmbeddingSection = EmbeddingSection()
    """A model whose vectors tell more than words where wordings vary."""
    seed: int = 0
    """Seed of the draws and permutations."""


class PolicySection(_Section):
    """When to train."""

    on_drift: bool = True
    """Train after a drift alarm."""
    triage: bool = True
    """Look into a confirmed alarm first: where the change is harmless, or training can't help, nothing is trained. false:
    every confirmed alarm trains."""
    after_conversations: _Positive | None = None
    """Train after that many new conversations, drift or not. Unset: never for this reason."""
    schedule: str | None = None
    """Train at these times: five cron fields, UTC, such as "0 3 * * 1". Unset: never for this reason."""
    min_new_conversations: _Positive = 300
    """New conversations to learn from before a training starts. Fewer: sooner, and gates stay inconclusive."""
    max_new_conversations: _Positive = 5_000
    """New conversations that one training takes at most, the newest first. Bounds its time."""
    cooldown_s: float = Field(3_600, ge=0)
    """Seconds between the end of a training and the next that nobody asked for."""

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, value: str | None) -> str | None:
        if value is not None:
            from daemon.config.cron import Schedule

            Schedule(value)
        return value


class CurationSection(_Section):
    """What a training set takes of the conversations that may be trained on."""

    similarity: float = Field(0.8, gt=0.3, le=1)
    """Share of common words from which on two conversations are near-duplicates. Smaller: more is left out."""
    per_cluster: _Positive = 1
    """Conversations of a cluster of near-duplicates that are learned from."""
    user_share: float = Field(0.05, gt=0, le=1)
    """Share of a training set that one user may fill (10 conversations always). 1: no cap."""
    source_share: float = Field(1.0, gt=0, le=1)
    """Share of a training set that one source (hygiene.tenant_field) may fill. 1: no cap."""
    own_share: float = Field(1.0, gt=0, le=1)
    """Share of new conversations that the tuned version answered itself. Where all traffic is answered by it, a cap
    means to learn from little; below 1 is for lines that also see answers of people or of other models."""


class LearningSection(_Section):
    """How an update is trained."""

    method: Literal["lora"] = "lora"
    """Learning method."""
    rank: int = Field(16, ge=1, le=512)
    """Rank of the LoRA update. Larger: learns more, forgets more, larger artifacts."""
    alpha: float = Field(32.0, gt=0)
    """LoRA scale is alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout in the LoRA layers."""
    epochs: float = Field(2.0, gt=0, le=100)
    """Passes over the data."""
    learning_rate: float = Field(2e-4, gt=0, lt=1)
    """Peak learning rate; warmed up and decayed to 0. The largest lever: at 1e-3 old skills go."""
    warmup_share: _Share = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    tokens_per_step: _Positive = 1_024
    """Tokens in an optimiser step. Larger: steadier, fewer steps."""
    max_tokens: int = Field(1_024, ge=32)
    """Tokens of a conversation; longer ones are cut at a turn."""
    replay_share: float = Field(0.1, ge=0, le=4)
    """Past conversations mixed in, as a share of the new ones. 0 forgets; 0.1 protects known topics."""
    seed: int = 0
    """Seed of the training."""
    timeout_s: float = Field(6 * 3_600, gt=0)
    """Seconds after which a training is stopped."""


class GateSection(_Section):
    """What a candidate must show on held-out conversations."""

    alpha: float = Field(0.05, gt=0, lt=0.5)
    """Chance of letting a candidate pass that is no better, or worse by the margin."""
    margin: float = Field(0.02, gt=0)
    """Nats per token that a candidate may be worse on old conversations."""
    min_gain: float = Field(0.0, ge=0)
    """Nats per token that a candidate must be better on new conversations."""
    max_looks: _Positive = 3
    """Times an inconclusive candidate is judged again with more data."""
    max_conversations: int = Field(400, ge=20)
    """Held-out conversations scored per slice. Larger: surer, slower."""


class ReleaseSection(_Section):
    """What happens to a candidate that passed."""

    automatic: bool = True
    """Promote by itself. false: wait for `retuned promote`."""
    keep_loaded: int = Field(2, ge=1)
    """Versions that the scorer keeps in memory, the live one included."""


class RetentionSection(_Section):
    """How much the ledger keeps. Its size is steady however long the stream goes on; what a version came from, the log
    of promotions and that of erasures stay for ever.
    """

    conversations: int = Field(100_000, ge=100)
    """Newest conversations that stay, of each side of the holdout split; about 2 kB each."""
    sample: int = Field(20_000, ge=0)
    """Older conversations that stay, a uniform sample of all of the past, for replay and gates; of each side."""
    max_age_days: float | None = Field(None, gt=0)
    """Days after which conversations go, whatever they are needed for, and what quotes them. Unset: none does."""
    known_ids: int = Field(1_000_000, ge=0)
    """Conversations that are gone and are not counted again if their records come again; about 250 bytes each."""
    feedback_days: float = Field(30, gt=0)
    """Days that feedback waits for its conversation."""
    dead_letters: int = Field(10_000, ge=100)
    """Newest dead letters that stay, once they are published."""
    dead_letters_days: float = Field(30, gt=0)
    """Days that they stay."""
    history: int = Field(10_000, ge=100)
    """Newest windows that stay, and as many decisions, halts and requests."""
    reports: int = Field(20, ge=1)
    """Newest reports of windows in which something changed; about 1.3 MB each. They go with any of their conversations."""


class LeaderSection(_Section):
    """Which replica decides, trains and promotes. Replicas share a PostgreSQL ledger; all of them read the stream."""

    lease_s: float = Field(15.0, ge=1)
    """Seconds after which a leader that is not heard of is replaced. Smaller: faster takeover, more false ones."""


class HttpSection(_Section):
    """Metrics, health and reports."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 in a container."""
    port: int = Field(9464, ge=0, le=65_535)
    """Port; 0 picks a free one."""
    reports: Literal["local", "all", "off"] = "local"
    """Who may read /reports, which quote conversations. local: who asks from this machine, by the name localhost or its
    address, through no proxy, as `kubectl port-forward` does; all: whoever reaches the port; off: nobody."""


class LoggingSection(_Section):
    """What is logged. Conversation text never is."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe level that is logged."""
    format: Literal["auto", "text", "json"] = "auto"
    """auto: text on a terminal, else JSON lines."""


class Settings(_Section):
    """One model line's daemon."""

    model_line: str = Field("chat", pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
    """Name of the model line: lowercase letters, digits, dashes."""
    state_dir: Path = Path(".state")
    """Folder for the ledger, artifacts, keys and work files, unless set otherwise."""
    ledger_url: str | None = None
    """SQLAlchemy URL of the ledger. Unset: SQLite in state_dir."""
    artifacts_url: str | None = None
    """fsspec URL of the artifact store (file://, s3://, ...). Unset: a folder in state_dir."""
    target_dir: Path | None = None
    """Folder whose live.json names the live version, for the server. Unset: state_dir/target."""
    model: ModelSection
    """The base model that is kept tuned."""
    kafka: KafkaSection = KafkaSection()
    """The stream of conversations."""
    limits: LimitsSection = LimitsSection()
    """What a record may look like."""
    dead_letters: DeadLettersSection = DeadLettersSection()
    """Records that can't be used."""
    hygiene: HygieneSection = HygieneSection()
    """What is taken out of records before anything is stored."""
    holdout: HoldoutSection = HoldoutSection()
    """Conversations that are never trained on."""
    windows: WindowsSection = WindowsSection()
    """Runs of conversations that monitors judge."""
    monitors: MonitorsSection = MonitorsSection()
    """How drift is judged."""
    policy: PolicySection = PolicySection()
    """When to train."""
    curation: CurationSection = CurationSection()
    """What a training set takes."""
    learning: LearningSection = LearningSection()
    """How an update is trained."""
    gate: GateSection = GateSection()
    """What a candidate must show."""
    release: ReleaseSection = ReleaseSection()
    """What happens to a candidate that passed."""
    retention: RetentionSection = RetentionSection()
    """How much the ledger keeps."""
    leader: LeaderSection = LeaderSection()
    """Which replica leads."""
    http: HttpSection = HttpSection()
    """Metrics, health and reports."""
    logging: LoggingSection = LoggingSection()
    """What is logged."""

    @model_validator(mode="after")
    def _what_is_needed_is_kept(self) -> "Settings":
        needed = {
            "policy.max_new_conversations": self.policy.max_new_conversations,
            "windows.reference_size": self.windows.reference_size,
            "windows.size": self.windows.size,
            "gate.max_conversations": self.gate.max_conversations,
        }
        more = [f"{name} ({count})" for name, count in needed.items() if count > self.retention.conversations]
        if more:
            raise ValueError(
                f"retention.conversations ({self.retention.conversations}) must be at least {', '.join(more)}"
            )
        if self.dead_letters.among > self.retention.dead_letters:
            raise ValueError(
                f"retention.dead_letters ({self.retention.dead_letters}) must be at least dead_letters.among "
                f"({self.dead_letters.among})"
            )
        return self

    @model_validator(mode="after")
    def _replicas_share_what_they_must(self) -> "Settings":
        if self.ledger_url and not self.ledger_url.startswith("sqlite"):
            unset = [
                name
                for name, value in (
                    ("holdout.key_file", self.holdout.key_file),
                    ("artifacts_url", self.artifacts_url),
                )
                if value is None
            ]
            if unset:
                raise ValueError(
                    f"a ledger on a server is shared by replicas, so {' and '.join(unset)} must name what they share too"
                )
        return self
