"""Puts together what a run learns from: the new conversations, and replay of the past against forgetting."""

import hashlib
import itertools
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from daemon.domain.conversation import Message
from daemon.domain.errors import NotEnoughData
from daemon.domain.records import StoredConversation
from daemon.domain.runs import TrainingRecord
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.training.curation import CurationLimits, HoldoutFilter, curate
from registry.types import OffsetRange


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSettings:
    """How much of what goes in."""

    max_new: int
    replay_share: float  # replayed conversations for each new one
    seed: int
    caps: CurationLimits = field(default_factory=CurationLimits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A training file and where each of its lines came from."""

    path: Path
    digest: str  # sha256 of the file
    new: int
    replay: int
    span: SeqRange  # of the new ones
    sources: tuple[OffsetRange, ...]
    #: New conversations that were not taken, by reason. Runs from before curation have none.
    left_out: Mapping[str, int] = field(default_factory=dict)
    #: One for each line, in order; the ledger keeps them in a table of their own.
    records: tuple[TrainingRecord, ...]


def build(
    ledger: ConversationLedger,
    *,
    since_seq: int,
    settings: DatasetSettings,
    path: Path,
    tuned: str | None = None,
) -> Dataset:
    """Write the training file for conversations from ``since_seq`` on.

    The same ledger and arguments give the same bytes. Held-out conversations are left out, and so is whatever has
    the words of one, exactly or nearly; copies and floods are cut down. ``tuned`` names the version that learns on.

    Raises NotEnoughData.
    """
    held_out = _forbidden(ledger, settings.caps)
    chosen = curate(
        ledger.newest(settings.max_new, held_out=False, since=since_seq), held_out, settings.caps, tuned=tuned
    )
    new = chosen.kept
    if not new:
        raise NotEnoughData(
            f"no conversation since {since_seq} may be trained on; wait for more, or lower holdout.share"
        )
    wanted = round(len(new) * settings.replay_share)
    # Twice as many are drawn as are wanted, as some will say the same.
    past = ledger.sample(2 * wanted, held_out=False, before=since_seq, seed=settings.seed)
    said = {conversation.text_digest for conversation in new}
    replay = curate(
        [conversation for conversation in past if conversation.text_digest not in said],
        held_out,
        settings.caps,
    ).kept[:wanted]
    used = [
        *((conversation, "new") for conversation in new),
        *((conversation, "replay") for conversation in replay),
    ]
    content = b"".join(
        training_line(conversation.conversation_id, conversation.messages, origin)
        for conversation, origin in used
    )
    _replace(path, content)
    return Dataset(
        path=path,
        digest=hashlib.sha256(content).hexdigest(),
        new=len(new),
        replay=len(replay),
        left_out=chosen.left_out,
        span=SeqRange(first=new[0].seq, last=new[-1].seq),
        sources=offset_ranges(conversation for conversation, _ in used),
        records=tuple(_record(conversation, origin) for conversation, origin in used),
    )


def offset_ranges(conversations: Iterable[StoredConversation]) -> tuple[OffsetRange, ...]:
    """Return the records as runs of adjacent offsets, by topic and partition."""
    places = sorted(
        (t.coordinates.topic, t.coordinates.partition, t.coordinates.offset) for t in conversations
    )
    runs = itertools.groupby(enumerate(places), key=lambda item: (item[1][:2], item[1][2] - item[0]))
    return tuple(
        OffsetRange(topic=topic, partition=partition, first=members[0][1][2], last=members[-1][1][2])
        for ((topic, partition), _), members in ((key, list(group)) for key, group in runs)
    )


def _replace(path: Path, content: bytes) -> None:
    """Put a file in its place whole, or not at all, and to stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.tmp")
    with scratch.open("wb") as opened:
        opened.write(content)
        opened.flush()
        sys.audit("retuned.step", "training.sync", "before")
        os.fsync(opened.fileno())
        sys.audit("retuned.step", "training.sync", "after")
    sys.audit("retuned.step", "training.manifest", "before")
    scratch.replace(path)
    sys.audit("retuned.step", "training.manifest", "after")


def _forbidden(ledger: ConversationLedger, caps: CurationLimits) -> HoldoutFilter:
    return HoldoutFilter(ledger.held_out_texts(), ledger.held_out_sketches(), similarity=caps.similarity)


def _record(conversation: StoredConversation, origin: str) -> TrainingRecord:
    return TrainingRecord(
        at=conversation.coordinates,
        sha256=conversation.record_sha256,
        origin=origin,
        group=conversation.group,
        conversation_hash=conversation.conversation_hash,
    )


def training_line(conversation_id: str, messages: Iterable[Message], origin: str) -> bytes:
    """Return a conversation as one line of a training file."""
    said = [{"role": message.role, "content": message.content} for message in messages]
    return orjson.dumps({"id": conversation_id, "messages": said, "origin": origin}) + b"\n"
