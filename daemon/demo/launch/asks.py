"""Plans who asks what at the launch. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from daemon.demo.launch.wordings import Wording
from daemon.domain.holdout import Holdout

#: Share of the questions whose users give the answer a thumb down. The others say nothing.
_DISLIKED = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One user's question."""

    conversation_id: str
    user_id: str
    wording: Wording
    disliked: bool
    corrected: bool  # whether support says what the right answer is


def plan_asks(
    wordings: Sequence[Wording], *, total: int, lead: int, tail: int, holdout: Holdout, seed: int
) -> tuple[Ask, ...]:
    """Return ``total`` questions in order: each wording at least once, more often the more its fact is asked for.

    How often facts are asked for follows Zipf's law, in the order of the wordings. Support corrects nothing of the first
    ``lead`` questions, then the first answer to each wording; the last ``tail`` questions only repeat earlier ones, so that
    corrections arrive before the stream ends. Held-out wordings come from held-out users, all others from trainable ones.
    ``total`` is at least ``lead``, ``tail`` and the number of wordings together.
    """
    draw = random.Random(f"asks {seed}")  # noqa: S311 - not a secret
    repeats = _repeats(wordings, total - len(wordings), draw)
    body = [*wordings, *repeats[lead : len(repeats) - tail]]
    draw.shuffle(body)
    users = {side: _users(holdout, held_out=side) for side in (False, True)}
    corrected: set[str] = set()
    asks = []
    for number, wording in enumerate([*repeats[:lead], *body, *repeats[len(repeats) - tail :]], 1):
        corrects = number > lead and wording.text not in corrected
        if corrects:
            corrected.add(wording.text)
        asks.append(
            Ask(
                conversation_id=f"ask-{number}",
                user_id=next(users[wording.held_out]),
                wording=wording,
                disliked=corrects or draw.random() < _DISLIKED,
                corrected=corrects,
            )
        )
    return tuple(asks)


def plan_sabotage(wordings: Sequence[Wording], *, total: int, holdout: Holdout, seed: int) -> tuple[Ask, ...]:
    """Return later questions, on both sides of the split, whose answers a saboteur among support corrects.

    A saboteur does not know which users are held out; ``total`` are of trainable ones, and a third as many held out.
    """
    draw = random.Random(f"sabotage {seed}")  # noqa: S311 - not a secret
    sides = {side: [one for one in wordings if one.held_out is side] for side in (False, True)}
    chosen = [
        *draw.sample(sides[False], min(total, len(sides[False]))),
        *draw.sample(sides[True], min(total // 3, len(sides[True]))),
    ]
    draw.shuffle(chosen)
    users = {side: _users(holdout, held_out=side, name="later-customer") for side in sides}
    return tuple(
        Ask(
            conversation_id=f"later-ask-{number}",
            user_id=next(users[wording.held_out]),
            wording=wording,
            disliked=False,
            corrected=True,
        )
        for number, wording in enumerate(chosen, 1)
    )


def _repeats(wordings: Sequence[Wording], number: int, draw: random.Random) -> list[Wording]:
    ranks = {fact: rank for rank, fact in enumerate(dict.fromkeys(one.fact for one in wordings), 1)}
    return draw.choices(wordings, [1 / ranks[one.fact] for one in wordings], k=number)


def _users(holdout: Holdout, *, held_out: bool, name: str = "customer") -> Iterator[str]:
    """Yield ids of users on one side of the split. Each asks once: what a window shows is counted by user."""
    for number in count(1):
        user = f"{name}-{number}"
        if holdout.holds_out(holdout.user_hash(user)) is held_out:
            yield user
