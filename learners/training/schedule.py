"""Plans a run: the conversations and the learning rate of each step, fixed by the request."""

import math
import random
from collections.abc import Sequence

from learners.encoding.packing import ROW_TOKENS, pack

Row = list[int]  # indices of conversations
Step = list[Row]


def plan_steps(lengths: Sequence[int], *, epochs: float, tokens_per_step: int, seed: int) -> list[Step]:
    """Return the steps of a run. Each epoch holds every conversation once, shuffled and packed anew.

    A partial epoch, such as the last of 1.5, takes its first steps.
    """
    rows_per_step = max(1, math.ceil(tokens_per_step / ROW_TOKENS))
    steps: list[Step] = []
    for epoch in range(math.ceil(epochs)):
        generator = random.Random(f"{seed}/{epoch}")  # noqa: S311 (reproducible, not secret)
        order = generator.sample(range(len(lengths)), len(lengths))
        packed = pack([lengths[index] for index in order], tokens_per_step // rows_per_step)
        rows = [[order[place] for place in row] for row in packed]
        generator.shuffle(rows)
        of_epoch = [rows[first : first + rows_per_step] for first in range(0, len(rows), rows_per_step)]
        share = min(1.0, epochs - epoch)
        steps += of_epoch[: max(1, round(share * len(of_epoch)))]
    return steps


def learning_rate(step: int, steps: int, *, peak: float, warmup_share: float) -> float:
    """Return the rate of a step, numbered from 0: linear warm-up to ``peak``, then linear decay towards 0."""
    warmup = math.ceil(warmup_share * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (steps - step) / (steps - warmup)
