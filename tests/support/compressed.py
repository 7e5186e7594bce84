"""Writing compressed records, as a production's producers do; ours never compresses."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from daemon.kafka.connection import connection
from daemon.kafka.settings import KafkaSettings


@contextlib.contextmanager
def producer(settings: KafkaSettings, codec: str | None, **options: object) -> Iterator[Any]:
    from kafka import KafkaProducer  # type: ignore[import-untyped]  # warns, unless daemon.kafka came first

    made = KafkaProducer(
        **{
            **connection(settings),
            "compression_type": codec,
            "max_request_size": 2**30,
            "metrics_enabled": False,
            **options,
        }
    )
    try:
        yield made
    finally:
        made.close(timeout=10)


def send_compressed(settings: KafkaSettings, codec: str | None, values: Iterable[bytes]) -> None:
    """Write the records, each batch as large as they are together."""
    with producer(settings, codec, batch_size=2**30, linger_ms=50) as made:
        for sent in [made.send(settings.topic, value) for value in values]:
            sent.get(timeout=60)


def send_apart(settings: KafkaSettings, codec: str | None, values: Iterable[bytes]) -> None:
    """Write each record in a batch of its own."""
    with producer(settings, codec) as made:
        for value in values:
            made.send(settings.topic, value).get(timeout=60)
