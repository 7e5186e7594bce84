"""Plans who asks what at the launch. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from daemon.demo.launch.wordings import Wording
from daemon.domain.holdout import Holdout

#: Share of the questions whose users give the answer a thumb down. The others say nothing.
_DISLIKED = 0.8
#: Most questions of one user.
_QUESTIONS_A_USER = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One user's question."""

    conversation_id: str
    user_id: str
    wording: Wording
    disliked: bool
    corrected: bool  # whether support says what the right answer is


def plan_asks(
    wordings: Sequence[Wording], *, total: int, tail: int, holdout: Holdout, seed: int
) -> tuple[Ask, ...]:
    """Return ``total`` questions in order: each wording at least once, more often the more its fact is asked for.

    How often facts are asked for follows Zipf's law, in the order of the wordings. Support corrects the first answer to each
    wording; the last ``tail`` questions only repeat earlier ones, so that corrections arrive before the stream ends.
    Held-out wordings come from held-out users, all others from trainable ones. ``total`` is at least ``tail`` and the number
    of wordings together.
    """
    draw = random.Random(f"asks {seed}")  # noqa: S311 - not a secret
    repeats = _repeats(wordings, total - len(wordings), draw)
    body = [*wordings, *repeats[: len(repeats) - tail]]
    draw.shuffle(body)
    users = {side: _users(holdout, held_out=side) for side in (False, True)}
    seen: set[str] = set()
    asks = []
    for number, wording in enumerate([*body, *repeats[len(repeats) - tail :]], 1):
        first = wording.text not in seen
        seen.add(wording.text)
        asks.append(
            Ask(
                conversation_id=f"ask-{number}",
                user_id=next(users[wording.held_out]),
                wording=wording,
                disliked=first or draw.random() < _DISLIKED,
                corrected=first,
            )
        )
    return tuple(asks)


def _repeats(wordings: Sequence[Wording], number: int, draw: random.Random) -> list[Wording]:
    ranks = {fact: rank for rank, fact in enumerate(dict.fromkeys(one.fact for one in wordings), 1)}
    return draw.choices(wordings, [1 / ranks[one.fact] for one in wordings], k=number)


def _users(holdout: Holdout, *, held_out: bool) -> Iterator[str]:
    """Yield ids of users on one side of the split, each as often as a user asks."""
    for number in count(1):
        user = f"customer-{number}"
        if holdout.holds_out(holdout.user_hash(user)) is held_out:
            yield from [user] * _QUESTIONS_A_USER
