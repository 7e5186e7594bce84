"""A member of a group in a process of its own, to be killed: says when records have come, and goes on reading."""

import sys

from daemon.kafka import KafkaSource
from daemon.kafka.settings import KafkaSettings


def main(bootstrap: str, topic: str, instance: str, session_timeout_ms: int) -> None:
    """Read until killed."""
    settings = KafkaSettings(
        bootstrap_servers=(bootstrap,),
        topic=topic,
        dead_letter_topic=f"{topic}-dead",
        group_id=f"{topic}-group",
        instance_id=instance or None,
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=session_timeout_ms // 4,
    )
    source = KafkaSource(settings, start_offsets=lambda _: {})
    while True:
        if source.poll(0.2):
            sys.stdout.write("read\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
