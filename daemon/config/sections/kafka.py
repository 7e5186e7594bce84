"""Settings of the section ``kafka``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from daemon.config.addresses import parse_broker
from daemon.config.mistakes import Disagreement, Problem
from daemon.config.sections.base import Positive, Section
from daemon.config.sections.sasl import sasl_mistakes
from daemon.config.sections.schema_registry import SchemaRegistrySection


class KafkaSection(Section):
    """The stream of conversations."""

    bootstrap_servers: tuple[Annotated[str, AfterValidator(parse_broker)], ...] = Field(
        ("localhost:9092",), min_length=1
    )
    """Brokers to connect to first, each as host:port; an IPv6 address as [::1]:9092. Name several so that the daemon starts while one is down."""
    topic: str = Field("conversations", pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """Topic to read conversations and feedback from."""
    format: Literal[
        "auto", "native", "pair", "litellm", "otel", "openinference", "langfuse", "kserve", "kong", "apisix", "message",
        "rows", "preferences", "mlflow", "open_webui", "fields",
    ] = "auto"  # fmt: skip
    """Format of the records. auto: each is recognised by its shape. Name one to refuse all others but native feedback."""
    dead_letter_topic: str = Field("conversations.dead", pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """Topic for unusable records, with the reason and the original coordinates of each."""
    tombstones: Literal["ignore", "forget"] = "ignore"
    """What a record without a value does, as compacted topics have. ignore: it is counted and passed over. forget: if its
    key is a conversation's id, that conversation is erased as `retuned forget --conversation` does, for good: records of
    it are dropped from then on. Use forget only where records are keyed by the conversation's id."""
    group_id: str = Field("retuned", min_length=1)
    """Consumer group. All replicas of a model line use the same group; each model line needs its own."""
    instance_id: str | None = Field(None, pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """Stable name of this replica, such as the pod name of a StatefulSet (static membership). A restarted replica then
    gets its partitions back at once. Unset: only after session_timeout_ms. Each replica needs its own name."""
    session_timeout_ms: int = Field(10_000, ge=500)
    """Milliseconds without a heartbeat after which the broker replaces a member. Smaller: faster takeover, more false
    rebalances."""
    heartbeat_interval_ms: int = Field(3_000, ge=100)
    """Milliseconds between heartbeats; at most a third of session_timeout_ms."""
    max_poll_records: Positive = 2_000
    """Most records per poll and per ledger transaction. Larger: higher throughput, more memory."""
    max_batch_bytes: int = Field(64 * 2**20, ge=2**20)
    """Most bytes in a compressed record batch. Intake halts at a larger batch. A batch may take four times this much
    memory."""
    stalled_after_s: float = Field(60.0, gt=0)
    """Seconds without a record, while the partition has some, after which intake halts and reports it."""
    api_version: str | None = Field(None, pattern=r"^\d+\.\d+$", coerce_numbers_to_str=True)
    """Newest version of the Kafka protocol to use, such as "2.3"; at least 0.11. Set it only for a broker that does not
    report its versions. Below 2.8 topics have no ids, so only offsets reveal a re-created topic. Below 2.4 doctor can't
    create topics."""
    schema_registry: SchemaRegistrySection = SchemaRegistrySection()
    """The schema registry of producers that write Avro."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Protocol for connections to the brokers. Use SSL or SASL_SSL on any network that you do not control."""
    ssl_cafile: Path | None = None
    """PEM file of the authority that signed the brokers' certificates."""
    ssl_certfile: Path | None = None
    """PEM file of the client certificate, for mutual TLS."""
    ssl_keyfile: Path | None = None
    """PEM file of the client's private key, for mutual TLS."""
    sasl_mechanism: (
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"] | None
    ) = None
    """SASL mechanism; required with the SASL_* protocols. OAUTHBEARER logs in with a token (oauth_*), AWS_MSK_IAM with
    the AWS credentials of the process (`pip install 'retuned[msk]'`), the others with sasl_username and a password."""
    sasl_username: str | None = None
    """SASL user name, for PLAIN and SCRAM."""
    sasl_password: SecretStr | None = None
    """SASL password. Prefer sasl_password_file."""
    sasl_password_file: Path | None = None
    """File that holds the SASL password, such as a mounted secret."""
    oauth_token_url: str | None = None
    """Token endpoint of the OAuth server, for OAUTHBEARER: https, or http on this machine. It is asked directly: proxies
    in the environment are not used, redirects not followed."""
    oauth_client_id: str | None = None
    """OAuth client that tokens are requested for, by the grant of client credentials."""
    oauth_client_secret: SecretStr | None = None
    """The OAuth client's secret. Prefer oauth_client_secret_file."""
    oauth_client_secret_file: Path | None = None
    """File that holds the OAuth client's secret. It is read for each token, so a rotated secret needs no restart."""
    oauth_client_auth: Literal["basic", "post"] = "basic"
    """How the client shows its secret to the token endpoint: in the header (basic) or in the form (post)."""
    oauth_scope: str | None = None
    """Scope to request, several separated by spaces. Unset: the server's default."""
    oauth_extra: dict[str, str] = Field({})
    """Further fields of the token request, such as audience. Not for secrets."""
    oauth_extensions: dict[str, str] = Field({})
    """SASL extensions that the broker gets beside the token, such as logicalCluster and identityPoolId."""
    oauth_cafile: Path | None = None
    """PEM file of the authority that signed the token endpoint's certificate. Unset: those that the system trusts."""

    @field_validator("api_version")
    @classmethod
    def _known_version(cls, value: str | None) -> str | None:
        if value is not None and tuple(map(int, value.split("."))) < (0, 11):
            raise ValueError("must be at least 0.11, the first with headers and idempotent producers")
        return value

    @model_validator(mode="after")
    def _fields_agree(self) -> "KafkaSection":
        sasl = tuple(name for name in type(self).model_fields if name.startswith(("sasl_", "oauth_")))
        problems = [Problem(text, ("security_protocol", *sasl)) for text in sasl_mistakes(self)]
        problems += [Problem(text) for text in self._tls_mistakes()]
        if self.heartbeat_interval_ms * 3 > self.session_timeout_ms:
            problems.append(Problem("heartbeat_interval_ms must be at most a third of session_timeout_ms"))
        if problems:
            raise Disagreement(problems)
        return self

    def _tls_mistakes(self) -> Iterator[str]:
        names = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
        unused = [name for name in names if getattr(self, name) is not None]
        if unused and not self.security_protocol.endswith("SSL"):
            yield f"security_protocol {self.security_protocol} uses no TLS: set it to SSL or SASL_SSL, or leave {', '.join(unused)} out"
        if self.ssl_keyfile and not self.ssl_certfile:
            yield "ssl_keyfile needs ssl_certfile, the certificate that the key belongs to"
