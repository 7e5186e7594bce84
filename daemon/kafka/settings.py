"""What a Kafka client needs to connect, as plain values."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from daemon.kafka.oauth import OAuthTokens

SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KafkaSettings:
    """Brokers, topics, group and credentials. Its repr doesn't show the password."""

    bootstrap_servers: tuple[str, ...]  # "host:port"; any one that answers is enough
    topic: str
    dead_letter_topic: str
    group_id: str
    instance_id: str | None = (
        None  # of a static member; None: a dynamic one, which gets a new id at each start
    )
    client_id: str = "retuned"
    #: A member that sends no heartbeat for this long loses its partitions. Smaller: a crash is noticed sooner;
    #: larger: a busy machine keeps its partitions. Some brokers make a joining member wait for half of it.
    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 3_000  # at most a third of the session time-out
    #: A live member that does not poll for this long loses its partitions.
    max_poll_interval_ms: int = 300_000
    request_timeout_ms: int = 10_000  # after which a request's connection is closed
    max_poll_records: int = 500
    max_batch_bytes: int = 64 * 2**20  # that one poll may decompress
    stalled_after_s: float = 60.0  # of polling without a record although there are some
    api_version: tuple[int, int] | None = None  # None: negotiated
    security_protocol: SecurityProtocol = "PLAINTEXT"
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    oauth: OAuthTokens | None = field(default=None, compare=False)  # of OAUTHBEARER, shared by all clients
