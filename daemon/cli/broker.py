"""The command broker: a Kafka-compatible broker on this machine, for a try."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, present, settings_file

if TYPE_CHECKING:
    from daemon.config.settings import KafkaSection

_LOOKS_S = 0.5


def broker(
    context: typer.Context,
    *,
    port: Annotated[
        int | None,
        typer.Option(help="Port; by default that of kafka.bootstrap_servers, or 9092.", min=1, max=65_535),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a Kafka-compatible broker for a try, until Ctrl-C or SIGTERM. It keeps its topics in memory.

    It creates the two topics that the settings file names, or the default ones where there is no file.
    """
    from daemon.demo.broker import LocalBroker, LocalBrokerError
    from daemon.runtime.stop_signals import stop_on_signals

    kafka = _section(settings_file(context))
    with stop_on_signals() as stop, LocalBroker(port=port or _port(kafka)) as running:
        topics = _create_topics(kafka, running.bootstrap)
        present(
            {"broker": running.bootstrap, "topics": topics},
            lambda: (
                f"A broker listens at {running.bootstrap}, with the topics {' and '.join(topics)}, until Ctrl-C.\n"
                "It keeps them in memory: they end with it."
            ),
            as_json=as_json,
        )
        while not stop.wait(_LOOKS_S):
            if not running.alive:
                raise LocalBrokerError("the broker has ended by itself; start it again")


def _section(file: Path) -> "KafkaSection":
    """Return the settings of Kafka, or the defaults where there is no settings file. Raises SettingsError."""
    from daemon.config.loader import load
    from daemon.config.settings import KafkaSection

    return load(file).kafka if file.exists() else KafkaSection()


def _port(kafka: "KafkaSection") -> int:
    """Return the port of the first broker on this machine that the settings name."""
    for address in kafka.bootstrap_servers:
        host, _, port = address.rpartition(":")
        if host in ("localhost", "127.0.0.1") and port.isdigit():
            return int(port)
    return 9092


def _create_topics(kafka: "KafkaSection", bootstrap: str) -> tuple[str, ...]:
    from daemon.kafka import create_topic
    from daemon.kafka.settings import KafkaSettings

    client = KafkaSettings(
        bootstrap_servers=(bootstrap,),
        topic=kafka.topic,
        dead_letter_topic=kafka.dead_letter_topic,
        group_id=kafka.group_id,
    )
    for topic in (client.topic, client.dead_letter_topic):
        create_topic(client, topic, partitions=1)
    return client.topic, client.dead_letter_topic
