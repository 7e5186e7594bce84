"""How to reach Kafka, as plain values. Importing this loads no Kafka client."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KafkaSettings:
    """Brokers, topics, group and credentials. Its repr doesn't show the password."""

    bootstrap_servers: tuple[str, ...]  # "host:port"; any one that answers is enough
    topic: str
    dead_letter_topic: str
    group_id: str
    instance_id: str | None = None  # of a static member; None: the broker names it, anew at each start
    client_id: str = "retuned"
    #: A member that is silent for this long loses its partitions. Smaller: a crash is noticed sooner;
    #: larger: a busy machine keeps its partitions. Some brokers make a joining member wait half of it.
    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 3_000  # at most a third of the session time-out
    #: A member that polls not for so long loses its partitions too, though it lives.
    max_poll_interval_ms: int = 300_000
    request_timeout_ms: int = 10_000  # how long one request may take before its connection is given up
    max_poll_records: int = 500
    max_batch_bytes: int = 64 * 2**20  # that the compressed batches of one poll may hold
    stalled_after_s: float = 60.0  # of polling in vain while there are records
    api_version: tuple[int, int] | None = None  # None: the newest that both sides know
    security_protocol: SecurityProtocol = "PLAINTEXT"
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
