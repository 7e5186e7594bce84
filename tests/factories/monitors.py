"""Samples, windows and references for tests of monitors, and the real conversations that install with pip."""

import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import yaml

from monitors.types import Reference, Sample, Turn, Window

_AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_sample(
    name: str, asked: str, *, replied: str = "ok", group: str | None = None, feedback: float | None = None
) -> Sample:
    turns = (Turn(role="user", content=asked), Turn(role="assistant", content=replied))
    return Sample(id=name, group=group or name, at=_AT, turns=turns, feedback=feedback)


def a_window(samples: Iterable[Sample]) -> Window:
    return Window(id="7", model_line="support-bot", samples=tuple(samples))


def a_reference(samples: Iterable[Sample]) -> Reference:
    return Reference(id="3", samples=tuple(samples))


def made_of(
    words: Sequence[str], count: int, *, seed: int, joined: str = " ", prefix: str = "s"
) -> list[Sample]:
    """Samples whose users draw six of ``words`` at random: one population for each list of words."""
    draw = random.Random(seed)
    return [a_sample(f"{prefix}{seed}-{i}", joined.join(draw.choices(words, k=6))) for i in range(count)]


@cache
def chit_chat() -> tuple[Sample, ...]:
    """Two-sided conversations of chitchat-dataset in order of time; the user is who began."""
    text = (files("chitchat_dataset") / "dataset.json").read_text("utf-8")
    samples = []
    for name, conversation in json.loads(text).items():
        blocks = [block for block in conversation["messages"] if block]
        if len(blocks) < 2:
            continue
        user, at = blocks[0][0]["sender"], blocks[0][0]["timestamp"]
        turns = tuple(
            Turn(
                role="user" if block[0]["sender"] == user else "assistant",
                content="\n".join(message["text"] for message in block),
            )
            for block in blocks
        )
        samples.append(Sample(id=name, group=user, at=datetime.fromisoformat(at), turns=turns))
    return tuple(sorted(samples, key=lambda sample: (sample.at, sample.id)))


@cache
def questions(language: str) -> dict[str, tuple[Sample, ...]]:
    """Distinct questions of chatterbot-corpus by topic; a question is nobody's."""
    seen: set[str] = set()
    topics: dict[str, list[Sample]] = {}
    for file in sorted((files("chatterbot_corpus") / "data" / language).iterdir(), key=lambda f: f.name):
        topic = file.name.removesuffix(".yml")
        for pair in yaml.safe_load(file.read_text("utf-8"))["conversations"]:
            asked, replied = str(pair[0]), str(pair[1]) if len(pair) > 1 else ""
            if asked not in seen:
                seen.add(asked)
                topics.setdefault(topic, []).append(
                    a_sample(f"{language}-{len(seen)}", asked, replied=replied)
                )
    return {topic: tuple(samples) for topic, samples in topics.items()}
