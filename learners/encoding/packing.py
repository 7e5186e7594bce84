"""Packs conversations into rows, so that no computation is spent on padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from learners.encoding.rows import Encoded

#: Longer rows are slower on CPUs (caches), and take more memory everywhere.
ROW_TOKENS = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedRow:
    """Conversations in sequence. Positions restart at 0 with each, and none attends to another.

    ``kept[i]`` is a position whose next token is a target, and ``labels[i]`` is that token.
    """

    ids: torch.Tensor  # (1, tokens)
    positions: torch.Tensor  # (1, tokens)
    segments: tuple[int, ...]  # tokens of each conversation
    kept: torch.Tensor  # (targets,)
    labels: torch.Tensor  # (targets,)
    owners: torch.Tensor  # (targets,): which of the row's conversations the target belongs to

    @property
    def tokens(self) -> int:
        return self.ids.numel()

    @property
    def target_tokens(self) -> int:
        return self.labels.numel()


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Return rows of indices whose lengths sum to at most ``capacity``; a longer conversation gets a row of its own.

    First-fit decreasing, equal lengths in the order given: at most 11/9 of the fewest rows (Johnson 1973),
    in practice within a percent.
    """
    rows: list[list[int]] = []
    free: list[int] = []
    open_from = 0  # rows before have no space that the shortest could fill
    shortest = min(lengths, default=0)
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[index]
        place = next((row for row in range(open_from, len(rows)) if free[row] >= length), len(rows))
        if place == len(rows):
            rows.append([])
            free.append(capacity)
        rows[place].append(index)
        free[place] -= length
        while open_from < len(rows) and free[open_from] < shortest:
            open_from += 1
    return rows


def packed_row(conversations: Sequence[Encoded]) -> PackedRow:
    """Return the row of these conversations, in this order. The first token of each is never a target."""
    ids: list[int] = []
    positions: list[int] = []
    kept: list[int] = []
    labels: list[int] = []
    owners: list[int] = []
    for owner, conversation in enumerate(conversations):
        for position in range(1, len(conversation.ids)):
            if conversation.targets[position]:
                kept.append(len(ids) + position - 1)
                labels.append(conversation.ids[position])
                owners.append(owner)
        ids += conversation.ids
        positions += range(len(conversation.ids))
    return PackedRow(
        ids=torch.tensor([ids]),
        positions=torch.tensor([positions]),
        segments=tuple(len(conversation.ids) for conversation in conversations),
        kept=torch.tensor(kept, dtype=torch.long),
        labels=torch.tensor(labels, dtype=torch.long),
        owners=torch.tensor(owners, dtype=torch.long),
    )
