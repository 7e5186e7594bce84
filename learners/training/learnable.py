"""Checks that a training set teaches what it should, before any step is taken."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from learners.errors import AnswersCut, EndNotLearned, NoPairs, NoTargets, OneSided, TooManySkipped

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
    def imitated(self) -> Sequence[Row]:
        """Those of the rows whose answers the model learns to give."""
        ...

    @property
    def avoided(self) -> Sequence[Row]:
        """Those of the rows whose answers the model learns not to give."""
        ...

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
    if not any(map(_has_targets, lines)):
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
    imitated = [line.imitated for line in lines if line.imitated]
    endless = sum(not _learns_an_end(rows, frozenset(ends)) for rows in imitated)
    if imitated and endless == len(imitated):
        raise EndNotLearned(
            f"none of {len(imitated):,} conversations has the end of an answer among its targets, so the model would learn "
            "never to stop; see whether the stream's answers are all cut off (finish_reason length), or what the model's "
            "chat template puts after an answer"
        )
    if endless > _MOST * len(imitated):
        raise AnswersCut(
            f"the answers of {endless:,} of {len(imitated):,} conversations are cut off before their end, and the model "
            "would learn to stop from fewer than half; raise the server's limit of tokens an answer"
        )


def check_pairs(lines: Sequence[EncodedLine]) -> None:
    """Raise NoPairs if no line has a better and a worse answer."""
    if any(line.imitated and line.avoided for line in lines):
        return
    raise NoPairs(
        f"none of {len(lines):,} conversations has two answers to one prompt of which one is better, from which alone method "
        f"dpo learns (left out: {_counts(left_out_answers(lines))}); set learning.method to lora or kto, or wait for "
        "corrections"
    )


def check_sides(lines: Sequence[EncodedLine]) -> None:
    """Raise OneSided if no line has an answer to imitate, or none has one to avoid."""
    for missing, rows in (
        ("imitate", [line.imitated for line in lines]),
        ("avoid", [line.avoided for line in lines]),
    ):
        if not any(rows):
            raise OneSided(
                f"none of {len(lines):,} conversations has an answer to {missing}, and method kto learns from both kinds (left "
                f"out: {_counts(left_out_answers(lines))}); set learning.method to lora, or wait for feedback"
            )


def _has_targets(line: EncodedLine) -> bool:
    return any(any(row.targets) for row in line.rows)


def _learns_an_end(rows: Sequence[Row], ends: frozenset[int]) -> bool:
    return any(
        is_target and id_ in ends for row in rows for id_, is_target in zip(row.ids, row.targets, strict=True)
    )


def _counts(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in skipped.items()) or "there are none"
