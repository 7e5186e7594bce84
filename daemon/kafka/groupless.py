"""Opens a consumer outside of any group, for single questions and reads."""

import contextlib
from collections.abc import Iterator

from daemon.kafka import client_patches
from daemon.kafka.connection import Client, connection
from daemon.kafka.library import KafkaConsumer
from daemon.kafka.settings import KafkaSettings


@contextlib.contextmanager
def groupless_consumer(
    settings: KafkaSettings, *, request_timeout_ms: int | None = None
) -> Iterator[tuple[KafkaConsumer, Client]]:
    """Yield a consumer of committed records with its client, and close it. Offsets that are gone become the earliest."""
    clients: list[Client] = []

    def make_client(**configs: object) -> Client:
        clients.append(Client(settings, **configs))
        return clients[-1]

    client_patches.apply()
    options = {
        **connection(settings),
        "request_timeout_ms": request_timeout_ms or settings.request_timeout_ms,
    }
    consumer = KafkaConsumer(
        **options,
        kafka_client=make_client,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    try:
        yield consumer, clients[0]
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)
