"""The records that intake is measured on, and how they come into a topic: zstd, evenly over the partitions."""

import random
import uuid
from collections.abc import Iterator

from confluent_kafka import Producer

from daemon.domain.clock import utc_now
from daemon.domain.conversation import Conversation, Message
from daemon.intake.replay import encode_record

_USERS = 5_000
_TEXT = """
the a my order card account payment arrived late never still where when how does is was it please help thanks
transfer money bank delivery address phone change cancel refund charged twice yesterday today week pending status
"""
_WORDS = _TEXT.split()


def some_values(count: int, *, seed: int = 0) -> Iterator[bytes]:
    """Encoded conversations: a UUID, one of 5,000 users, a question and an answer of some 60 characters each."""
    choose = random.Random(seed)
    for _ in range(count):
        question, answer = (" ".join(choose.choices(_WORDS, k=11)) for _ in range(2))
        messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
        yield encode_record(
            Conversation(
                conversation_id=str(uuid.UUID(int=choose.getrandbits(128), version=4)),
                at=utc_now(),
                user_id=f"u{choose.randrange(_USERS)}",
                messages=messages,
            )
        )


def a_record(number: int) -> bytes:
    """A long one, about 700 bytes."""
    messages = tuple(
        Message(
            role="user" if turn % 2 == 0 else "assistant",
            content=f"turn {turn} of {number}: " + "how does it go? " * 7,
        )
        for turn in range(4)
    )
    return encode_record(
        Conversation(
            conversation_id=f"c{number}", at=utc_now(), user_id=f"u{number % 999}", messages=messages
        )
    )


def fill(bootstrap: str, topic: str, values: list[bytes], *, partitions: int) -> None:
    """Write the values, spread over the partitions, in batches as busy producers make them."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "zstd",
            "linger.ms": 50,
            "batch.size": 200_000,
            "queue.buffering.max.messages": len(values) + 1,
        }
    )
    for number, value in enumerate(values):
        producer.produce(topic, value=value, partition=number % partitions)
    assert producer.flush(60) == 0
