"""Checks that a training set teaches what it should, before any step is taken."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from learners.errors import AnswersCut, EndNotLearned, NoTargets, TooManySkipped

_MOST = 0.5


class Row(Protocol):
    """A row of token ids, and which of them are learned."""

    @property
    def ids(self) -> Sequence[int]: ...
    @property
    def targets(self) -> Sequence[bool]: ...


class EncodedLine(Protocol):
    """A line of the training file as rows, or the reason why it is skipped."""

    @property
    def rows(self) -> Sequence[Row]: ...
    @property
    def skipped(self) -> str | None: ...
    @property
    def left_out(self) -> Mapping[str, int]:
        """Answers that are in no row, by reason."""
        ...


def skipped_lines(lines: Sequence[EncodedLine]) -> dict[str, tuple[int, ...]]:
    """Return the numbers of the lines that are skipped, from 0, by reason."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        reason = line.skipped or (None if _has_targets(line) else "no target")
        if reason is not None:
            found[reason].append(number)
    return {reason: tuple(found[reason]) for reason in sorted(found)}


def left_out_answers(lines: Sequence[EncodedLine]) -> dict[str, int]:
    """Return how many answers of the lines that are learned are left out, by reason."""
    counts: Counter[str] = Counter()
    for line in lines:
        if _has_targets(line):
            counts.update(line.left_out)
    return dict(sorted(counts.items()))


def check_learnable(lines: Sequence[EncodedLine], *, ends: Collection[int], max_skipped: float) -> None:
    """Refuse a training set that teaches nothing, or the wrong thing.

    ``ends`` are the tokens that end an assistant's turn, ``max_skipped`` is the share of the lines that may be skipped.
    Raises NoTargets, TooManySkipped, EndNotLearned or AnswersCut.
    """
    skipped = {reason: len(numbers) for reason, numbers in skipped_lines(lines).items()}
    learned = [line.rows for line in lines if _has_targets(line)]
    if not learned:
        raise NoTargets(
            f"none of {len(lines):,} conversations has anything to learn ({_counts(skipped)}); `retuned doctor` shows how "
            "the model's chat template renders them"
        )
    left_out = sum(skipped.values())
    if left_out > max_skipped * len(lines):
        raise TooManySkipped(
            f"{left_out:,} of {len(lines):,} conversations can't be learned ({_counts(skipped)}), and at most "
            f"{max_skipped:.0%} may be skipped; `retuned doctor` shows what the model's chat template refuses; raise "
            "learning.max_tokens where they are too long, or learning.max_skipped"
        )
    endless = sum(not _learns_an_end(rows, frozenset(ends)) for rows in learned)
    if endless == len(learned):
        raise EndNotLearned(
            f"none of {len(learned):,} conversations has the end of an answer among its targets, so the model would learn "
            "never to stop; see whether the stream's answers are all cut off (finish_reason length), or what the model's "
            "chat template puts after an answer"
        )
    if endless > _MOST * len(learned):
        raise AnswersCut(
            f"the answers of {endless:,} of {len(learned):,} conversations are cut off before their end, and the model "
            "would learn to stop from fewer than half; raise the server's limit of tokens an answer"
        )


def _has_targets(line: EncodedLine) -> bool:
    return any(any(row.targets) for row in line.rows)


def _learns_an_end(rows: Sequence[Row], ends: frozenset[int]) -> bool:
    return any(
        is_target and id_ in ends for row in rows for id_, is_target in zip(row.ids, row.targets, strict=True)
    )


def _counts(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in skipped.items()) or "there are none"
