"""The command broker: a Kafka-compatible broker on this machine, for a try."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, present, settings_file

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    It creates the topics that the settings file names, or the default ones where there is no file.
    """
    from daemon.demo.broker import LocalBroker, LocalBrokerError
    from daemon.runtime.stop_signals import stop_on_signals

    sections = _sections(settings_file(context))
    with stop_on_signals() as stop, LocalBroker(port=port or _port(sections[0])) as running:
        topics = _create_topics(sections, running.bootstrap)
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


def _sections(file: Path) -> "list[KafkaSection]":
    """Return the settings of Kafka of each model line, or the defaults where there is no file. Raises SettingsError."""
    from daemon.config.loader import load_lines
    from daemon.config.settings import KafkaSection

    return [each.kafka for each in load_lines(file).values()] if file.exists() else [KafkaSection()]


def _port(kafka: "KafkaSection") -> int:
    """Return the port of the first broker on this machine that the settings name."""
    for address in kafka.bootstrap_servers:
        host, _, port = address.rpartition(":")
        if host in ("localhost", "127.0.0.1") and port.isdigit():
            return int(port)
    return 9092


def _create_topics(sections: "Sequence[KafkaSection]", bootstrap: str) -> tuple[str, ...]:
    from daemon.kafka import create_topic
    from daemon.kafka.settings import KafkaSettings

    first = sections[0]
    client = KafkaSettings(
        bootstrap_servers=(bootstrap,),
        topic=first.topic,
        dead_letter_topic=first.dead_letter_topic,
        group_id=first.group_id,
    )
    topics = dict.fromkeys(topic for each in sections for topic in (each.topic, each.dead_letter_topic))
    for topic in topics:
        create_topic(client, topic, partitions=1)
    return tuple(topics)
