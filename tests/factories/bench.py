"""Worlds of made-up words for tests of the benchmark."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product

from monitors.bench.plan import Size
from monitors.bench.populations import Population
from monitors.bench.streams import Kind, Length
from monitors.types import Sample, Turn

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS = ["".join(word) for word in product("bdgklmnprst", "aeiou", "bdgklmnprst")]
random.Random(0).shuffle(_WORDS)


def a_regime(name: str, words: Sequence[str], count: int = 80) -> tuple[Sample, ...]:
    """Conversations whose users draw twelve of the words."""
    draw = random.Random(name)
    return tuple(
        Sample(
            id=f"{name}-{number}",
            group=f"{name}-{number}",
            at=_AT,
            turns=(
                Turn(role="user", content=" ".join(draw.choices(words, k=12))),
                Turn(role="assistant", content="I will look that up."),
            ),
        )
        for number in range(count)
    )


def a_population(family: str = "made up") -> Population:
    """Shops and sports; then the weather."""
    return Population(
        family=family,
        name="weather",
        before={"shops": a_regime("shops", _WORDS[:60]), "sports": a_regime("sports", _WORDS[60:120])},
        after=a_regime("weather", _WORDS[120:180]),
    )


#: So little that a benchmark takes seconds.
TINY = Size(
    name="tiny",
    nulls=2,
    trials=1,
    shares=(1.0,),
    changes=(Kind.ABRUPT,),
    length=Length(reference=60, null=220, before=40, after=220),
    timed=10,
    endless=10,
)
