"""Builds the training set of a run: new conversations, plus replay of earlier ones against forgetting."""

import hashlib
import itertools
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from atomicwrites import replace_atomic

from daemon.config.settings import Settings
from daemon.domain.errors import NotEnoughData
from daemon.domain.left_out import left_out_words
from daemon.domain.records import Coordinates, StoredConversation
from daemon.domain.runs import TrainingRecord
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.training.built_dataset import Dataset
from daemon.training.curation import Curated, curate
from daemon.training.lines import LearnedRow, Line, answers_of, lines_of, path_of
from daemon.training.text_comparison import TextComparison, compare_texts
from registry.types import OffsetRange

#: Why a conversation is left out, besides the reasons of curation.
_GONE = "continue turns that are no longer stored"
_HELD_OUT_ANSWERS = "with answers as in a held-out one only"
_NO_ANSWER = "without an answer to learn"


def build_dataset(
    ledger: ConversationLedger,
    settings: Settings,
    *,
    since_seq: int,
    path: Path,
    until_seq: int | None = None,
    tuned: str | None = None,
    check: Callable[[], None] = lambda: None,
) -> Dataset:
    """Write the training file for conversations from ``since_seq`` to ``until_seq``; by default, to the newest.

    The same ledger and arguments give the same bytes. Held-out conversations are left out, and so are conversations
    with the same, or nearly the same, words as a held-out one. ``tuned`` is the version that the run continues from.
    ``check`` is called every few milliseconds and before the file is written; it may raise to end the work.

    Raises NotEnoughData, OSError.
    """
    newest = ledger.newest(
        settings.policy.max_new_conversations,
        held_out=False,
        since=since_seq,
        before=None if until_seq is None else until_seq + 1,
    )
    past = _draw_past(ledger, settings, new=len(newest), before=since_seq)
    texts = compare_texts(ledger, [*newest, *past], similarity=settings.curation.similarity, check=check)
    new = _with_histories(
        ledger, curate(newest, texts.holdout, settings.curation, texts.signatures, tuned=tuned)
    )
    if not new.kept:
        raise NotEnoughData(
            f"no conversation since {since_seq} may be trained on (left out: {left_out_words(new.left_out) or 'none'}); wait "
            "for more; `retuned doctor` says whether one user id has most of them"
        )
    replay = ledger.with_histories(_choose_replay(settings, new=new.kept, past=past, texts=texts))
    whole = [conversation for conversation in replay if not conversation.history_gone]
    return _write(path, new, whole, held_out=ledger.held_out_exchanges(), check=check)


def _with_histories(ledger: ConversationLedger, curated: Curated) -> Curated:
    """Return the conversations with their histories, without those whose prompt is not known any more."""
    found = ledger.with_histories(curated.kept)
    whole = tuple(conversation for conversation in found if not conversation.history_gone)
    left_out = Counter(curated.left_out)
    left_out[_GONE] += len(found) - len(whole)
    return Curated(kept=whole, left_out=dict(+left_out))


def _draw_past(
    ledger: ConversationLedger, settings: Settings, *, new: int, before: int
) -> list[StoredConversation]:
    """Draw earlier conversations: twice as many as may be replayed, because curation drops duplicates."""
    wanted = 2 * round(new * settings.learning.replay_share)
    return ledger.sample(wanted, held_out=False, before=before, seed=settings.learning.seed)


def _choose_replay(
    settings: Settings,
    *,
    new: tuple[StoredConversation, ...],
    past: list[StoredConversation],
    texts: TextComparison,
) -> tuple[StoredConversation, ...]:
    """Choose from earlier conversations, none with the same words as a new one."""
    new_texts = {conversation.text_digest for conversation in new}
    others = [conversation for conversation in past if conversation.text_digest not in new_texts]
    kept = curate(others, texts.holdout, settings.curation, texts.signatures).kept
    wanted = round(len(new) * settings.learning.replay_share)
    chosen = random.Random(settings.learning.seed).sample(range(len(kept)), min(wanted, len(kept)))  # noqa: S311 - not a secret
    return tuple(kept[place] for place in sorted(chosen))


def _write(
    path: Path,
    new: Curated,
    replay: Sequence[StoredConversation],
    *,
    held_out: Collection[int],
    check: Callable[[], None],
) -> Dataset:
    lines = lines_of(
        [*((one, "new") for one in new.kept), *((one, "replay") for one in replay)], held_out=held_out
    )
    learned = {origin: _learned_from(lines, origin) for origin in ("new", "replay")}
    left_out = Counter(new.left_out) + _not_learned(new.kept, lines)
    if not learned["new"]:
        raise NotEnoughData(
            f"no conversation may be trained on (left out: {left_out_words(left_out)}); wait for more; "
            "`retuned doctor` says whether one user id has most of them"
        )
    content = b"".join(line.encoded() for line in lines)
    check()
    _replace(path, content)
    return Dataset(
        path=path,
        digest=hashlib.sha256(content).hexdigest(),
        new=len(learned["new"]),
        replay=len(learned["replay"]),
        left_out=dict(left_out),
        span=SeqRange(first=min(learned["new"]), last=max(learned["new"])),
        sources=offset_ranges(one.coordinates for origin in learned.values() for one in origin.values()),
        records=tuple(_record(row, line, number) for number, line in enumerate(lines) for row in line.rows),
    )


def _not_learned(chosen: Iterable[StoredConversation], lines: Iterable[Line]) -> Counter[str]:
    """Count the chosen conversations of which no line learns, by reason; a question that a line holds is none of them."""
    held = {past.seq for line in lines for past in path_of(line.rows[-1].conversation)}
    left = [one for one in chosen if one.seq not in held]
    return Counter(_HELD_OUT_ANSWERS if answers_of(one) else _NO_ANSWER for one in left)


def _learned_from(lines: Iterable[Line], origin: str) -> dict[int, StoredConversation]:
    """Return the conversations of an origin with an answer that is learned, by seq."""
    return {
        row.conversation.seq: row.conversation
        for line in lines
        if line.origin == origin
        for row in line.rows
        if len(row.unlearned) < len(answers_of(row.conversation))
    }


def offset_ranges(records: Iterable[Coordinates]) -> tuple[OffsetRange, ...]:
    """Return the records as ranges of adjacent offsets, by topic and partition."""
    places = sorted((at.topic, at.partition, at.offset) for at in records)
    runs = itertools.groupby(enumerate(places), key=lambda item: (item[1][:2], item[1][2] - item[0]))
    return tuple(
        OffsetRange(topic=topic, partition=partition, first=members[0][1][2], last=members[-1][1][2])
        for ((topic, partition), _), members in ((key, list(group)) for key, group in runs)
    )


def _replace(path: Path, content: bytes) -> None:
    """Replace a file atomically and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.tmp")
    with scratch.open("wb") as opened:
        opened.write(content)
        opened.flush()
        sys.audit("retuned.step", "training.sync", "before")
        os.fsync(opened.fileno())
        sys.audit("retuned.step", "training.sync", "after")
    sys.audit("retuned.step", "training.manifest", "before")
    replace_atomic(scratch, path)
    sys.audit("retuned.step", "training.manifest", "after")


def _record(row: LearnedRow, line: Line, number: int) -> TrainingRecord:
    conversation = row.conversation
    return TrainingRecord(
        at=conversation.coordinates,
        sha256=conversation.record_sha256,
        origin=line.origin,
        group=conversation.group,
        conversation_hash=conversation.conversation_hash,
        line=number,
        continues=bool(conversation.history) or len(line.rows) > 1,
        unlearned=row.unlearned,
    )
