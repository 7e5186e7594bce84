import numpy as np
import pytest

from monitors.triage.intervals import mean
from monitors.triage.learnable_loss import ScoredConversation, learnable_losses

KNOWN, SURPRISED = 0.05, 4.0  # nats


def talks(count: int, *, first: int, nats: float, seed: int = 0) -> list[ScoredConversation]:
    """Conversations of twenty words out of thirty, from a vocabulary of their own."""
    random = np.random.default_rng(seed)
    return [
        ScoredConversation(
            id=f"{first}-{number}",
            tokens=tuple(int(token) for token in random.integers(first, first + 30, 20)),
            nats=(nats,) * 20,
        )
        for number in range(count)
    ]


def test_what_a_version_does_not_know_is_learned_from_others() -> None:
    assert mean(learnable_losses(talks(40, first=0, nats=SURPRISED))).lower > 1.0


def test_what_it_knows_is_not_however_often_it_is_said() -> None:
    found = learnable_losses(talks(40, first=0, nats=KNOWN))

    assert np.abs(found).max() < 0.02 * 20


def test_other_subjects_teach_nothing() -> None:
    found = learnable_losses(talks(40, first=0, nats=SURPRISED), talks(40, first=100, nats=SURPRISED))

    assert found == pytest.approx(0.0)


def test_nobody_learns_from_himself() -> None:
    alone = ScoredConversation(id="a", tokens=(7, 8, 9), nats=(SURPRISED,) * 3)

    assert learnable_losses([alone, *talks(20, first=100, nats=SURPRISED)])[0] <= 0


def test_a_token_that_was_held_to_be_impossible_does_no_harm() -> None:
    odd = ScoredConversation(id="odd", tokens=(1, 2), nats=(5_000.0, 1.0))

    assert np.isfinite(learnable_losses([odd, *talks(20, first=0, nats=SURPRISED)])).all()


def test_alike_conversations_teach_no_more_than_the_reference_does() -> None:
    surer = 0
    for seed in range(100):
        new, reference = (talks(30, first=0, nats=SURPRISED, seed=2 * seed + side) for side in (0, 1))
        surer += mean(learnable_losses(new) - learnable_losses(new, reference[:29])).above_zero

    assert surer <= 8  # 2.5 are expected, as intervals have two sides
