"""Builds the training set of a run: lessons of new conversations, plus replay of earlier ones against forgetting."""

import hashlib
import itertools
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from atomicwrites import replace_atomic

from daemon.config.lesson_rules import lesson_rules
from daemon.config.settings import Settings
from daemon.domain.errors import NotEnoughData
from daemon.domain.left_out import NOT_MEANT, left_out_words
from daemon.domain.records import Coordinates, StoredConversation
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.training.answer_lines import AnswerLine
from daemon.training.built_dataset import Dataset
from daemon.training.candidates import Candidates, drawn_candidates, newest_candidates
from daemon.training.curation import Curated, cap_liked, curate
from daemon.training.learned_lines import REPLAY, AnyLine, RefusedAnswers, exchanges_at, lines_of
from daemon.training.line_records import count_lessons, learned_from, line_records
from daemon.training.lines import path_of
from daemon.training.new_lessons import NO_LESSONS_REMEDY
from daemon.training.paired_rows import with_pairs
from daemon.training.taught_rows import LessonReader, TaughtRow
from daemon.training.text_comparison import TextComparison, compare_texts
from learners.method_names import needs
from registry.types import OffsetRange

#: Why a conversation is left out, besides the reasons of curation.
_GONE = "continue turns that are no longer stored"
_NO_ANSWER = "without an answer to learn"
_WAIT = "wait for more; `retuned doctor` says whether one user id has most of them"


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
    """Write the training file of the lessons in conversations from ``since_seq`` to ``until_seq``; by default, to the newest.

    The same ledger and arguments give the same bytes. Held-out conversations are left out, and so are conversations
    with the same, or nearly the same, words as a held-out one, said or learned. ``tuned`` is the version that the run
    continues from. ``check`` is called every few milliseconds and before the file is written; it may raise to end the work.

    Raises NotEnoughData, OSError.
    """
    reader = LessonReader(settings)
    newest = newest_candidates(
        ledger,
        reader,
        limit=settings.policy.max_new_conversations,
        since=since_seq,
        before=None if until_seq is None else until_seq + 1,
        check=check,
    )
    past = _draw_past(ledger, settings, reader, new=len(newest.rows), before=since_seq)
    corrected = [reader.new(one) for one in ledger.held_out_with_other_answers()]
    texts = compare_texts(
        ledger,
        [*newest.rows, *past],
        similarity=settings.curation.similarity,
        corrected=corrected,
        check=check,
    )
    new = _with_histories(ledger, newest.rows, _choose_new(settings, newest, texts, tuned=tuned))
    if not new.rows:
        raise NotEnoughData(_nothing_to_learn(f"since {since_seq} ", new.left_out))
    chosen = _choose_replay(settings, new=new.rows, past=past, texts=texts)
    replay = _with_histories(ledger, past, Curated(kept=chosen, left_out={}))
    refused = RefusedAnswers(
        held_out=ledger.held_out_exchanges() | _taught_exchanges(corrected),
        disliked=ledger.disliked_exchanges(lesson_rules(settings)),
    )
    rows = with_pairs(new.rows, newest, settings, ledger=ledger, refused=refused)
    make = partial(lines_of, refused=refused, weights=settings.lessons.weights)
    lines = [*make(rows, origin="new"), *make(replay.rows, origin=REPLAY)]
    left_out = Counter(new.left_out) + _not_learned(rows, lines, refused)
    _check_method_has_what_it_needs(lines, settings)
    return _write(path, lines, left_out, check=check)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chosen:
    """The conversations that were chosen, with their histories, and how many were left out for which reason."""

    rows: tuple[TaughtRow, ...]
    left_out: Mapping[str, int]


def _choose_new(
    settings: Settings, newest: Candidates, texts: TextComparison, *, tuned: str | None
) -> Curated:
    curated = curate(
        [row.conversation for row in newest.rows],
        texts.holdout,
        settings.curation,
        texts.signatures,
        tuned=tuned,
        learned=texts.learned,
    )
    kinds = {row.conversation.seq: [lesson.kind for lesson in row.lessons] for row in newest.rows}
    capped = cap_liked(curated, kinds, settings.lessons.liked_share)
    return Curated(kept=capped.kept, left_out=dict(Counter(newest.left_out) + Counter(capped.left_out)))


def _with_histories(ledger: ConversationLedger, candidates: Iterable[TaughtRow], curated: Curated) -> _Chosen:
    """Return the conversations with their histories, without those whose prompt is not known any more."""
    by_seq = {row.conversation.seq: row for row in candidates}
    found = ledger.with_histories(curated.kept)
    whole = [conversation for conversation in found if not conversation.history_gone]
    left_out = Counter(curated.left_out)
    left_out[_GONE] += len(found) - len(whole)
    return _Chosen(rows=tuple(by_seq[one.seq].with_history(one) for one in whole), left_out=dict(+left_out))


def _draw_past(
    ledger: ConversationLedger, settings: Settings, reader: LessonReader, *, new: int, before: int
) -> tuple[TaughtRow, ...]:
    """Draw earlier conversations: twice as many as may be replayed, because curation drops duplicates."""
    wanted = 2 * round(new * settings.learning.replay_share) if settings.lessons.weights.replay > 0 else 0
    return drawn_candidates(ledger, reader, count=wanted, before=before, seed=settings.learning.seed)


def _choose_replay(
    settings: Settings,
    *,
    new: tuple[TaughtRow, ...],
    past: tuple[TaughtRow, ...],
    texts: TextComparison,
) -> tuple[StoredConversation, ...]:
    """Choose from earlier conversations, none with the same words as a new one."""
    new_texts = {row.learned_digest for row in new} | {row.conversation.text_digest for row in new}
    others = [
        row.conversation
        for row in past
        if new_texts.isdisjoint({row.learned_digest, row.conversation.text_digest})
    ]
    kept = curate(others, texts.holdout, settings.curation, texts.signatures, learned=texts.learned).kept
    wanted = round(len(new) * settings.learning.replay_share)
    chosen = random.Random(settings.learning.seed).sample(range(len(kept)), min(wanted, len(kept)))  # noqa: S311 - not a secret
    return tuple(kept[place] for place in sorted(chosen))


def _taught_exchanges(rows: Iterable[TaughtRow]) -> frozenset[int]:
    """Return the digests of the answers that these conversations teach, with what they answer."""
    return frozenset(
        digest
        for row in rows
        for lesson in row.lessons
        if lesson.imitate is not None
        for digest in exchanges_at(row.conversation, lesson.index, lesson.imitate)
    )


def _write(
    path: Path,
    lines: Sequence[AnyLine],
    left_out: Mapping[str, int],
    *,
    check: Callable[[], None],
) -> Dataset:
    learned = {origin: learned_from(lines, origin) for origin in ("new", REPLAY)}
    if not learned["new"]:
        raise NotEnoughData(_nothing_to_learn("", left_out))
    content = b"".join(line.encoded() for line in lines)
    check()
    _replace(path, content)
    return Dataset(
        path=path,
        digest=hashlib.sha256(content).hexdigest(),
        new=len(learned["new"]),
        replay=len(learned[REPLAY]),
        lessons=count_lessons(lines),
        left_out=dict(left_out),
        span=SeqRange(first=min(learned["new"]), last=max(learned["new"])),
        sources=offset_ranges(one.coordinates for origin in learned.values() for one in origin.values()),
        records=line_records(lines),
    )


def _check_method_has_what_it_needs(lines: Sequence[AnyLine], settings: Settings) -> None:
    """Raise NotEnoughData where the method learns nothing from these lines, however many they are."""
    method = settings.learning.method
    taught = {line.teaching for line in lines}
    if lines and any(taught.isdisjoint(wanted) for wanted in needs(method)):
        raise NotEnoughData(
            f"learning.method is {method}, which learns from what users prefer or dislike and what they like, and there is not "
            "both among the lessons; send corrections, or set learning.method to lora"
        )


def _nothing_to_learn(since: str, left_out: Mapping[str, int]) -> str:
    reasons = left_out_words(left_out) or "none"
    remedy = NO_LESSONS_REMEDY if set(left_out) <= NOT_MEANT and left_out else _WAIT
    return f"no conversation {since}may be trained on (left out: {reasons}); {remedy}"


def _not_learned(
    chosen: Iterable[TaughtRow], lines: Sequence[AnyLine], refused: RefusedAnswers
) -> Counter[str]:
    """Count the chosen conversations of which no line learns, by reason; a question that a line holds is none of them."""
    held = {past.seq for line in lines for past in path_of(line.last)}
    held |= {line.worse.seq for line in lines if isinstance(line, AnswerLine) and line.worse is not None}
    found: Counter[str] = Counter()
    for row in chosen:
        if row.conversation.seq not in held:
            reasons = [refused.reason(row.conversation, lesson) for lesson in row.lessons]
            found[next((reason for reason in reasons if reason), _NO_ANSWER)] += 1
    return found


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
