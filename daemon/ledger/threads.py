"""Decides for each record of a batch what it brings: a new conversation, turns that continue a known one, or nothing."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from daemon.domain.conversation import JSON, Conversation, Message
from daemon.domain.message_json import message_documents
from daemon.domain.records import NewConversation
from daemon.domain.text_digest import text_digest
from daemon.domain.turns import Turn, answered, request_digest, system_prompt
from daemon.ledger.known_turns import KnownRow, KnownTurn, KnownTurns, Thread
from daemon.ledger.tables import FOLLOWS


@dataclass(kw_only=True, slots=True, eq=False)
class NewRow:
    """A row to insert: the new turns of a record, and where they belong."""

    new: NewConversation  # with its new turns only, and the side of its conversation
    record: NewConversation  # as it was read
    row: KnownRow
    continues: bool = False  # whether its conversation has other rows
    parent: KnownRow | None = None
    parent_turns: int | None = None  # see the column
    request: int | None = None  # digest of system prompt, tools and documents
    context: Mapping[str, JSON] | None = None  # see the column
    turns: tuple[KnownTurn, ...] = ()  # those of ``new.turns``; none if they are not to be recognised


@dataclass(slots=True)
class Recognised:
    """What the records of a batch bring."""

    rows: list[NewRow] = field(default_factory=list)
    #: Records that bring no turn, and the rows that hold their last one.
    repeats: list[tuple[NewConversation, KnownRow]] = field(default_factory=list)
    names: list[tuple[NewConversation, KnownRow]] = field(
        default_factory=list
    )  # ids that stand for another row
    claimed: list[KnownTurn] = field(
        default_factory=list
    )  # stored turns that a record is now known to end with
    duplicates: int = 0  # records with a known id that bring no turn


#: Between a record's id that comes again with more turns and the digits that tell its rows apart.
_GROWN, _DIGITS = "#", 12


def grown_from(row_id: str) -> str:
    """Return the record's id that a row's id was made from, or the row's id itself."""
    at = len(row_id) - _DIGITS - len(_GROWN)
    return row_id[:at] if at > 0 and row_id[at] == _GROWN else row_id


def recognise(records: Iterable[NewConversation], known: KnownTurns) -> Recognised:
    """Return what records bring, one after the other; each is known to those after it."""
    recogniser = _Recogniser(known)
    for new in records:
        recogniser.take(new)
    return recogniser.found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """The new turns of a record that continues a conversation: from the turn ``first`` up to the one before ``end``."""

    first: int
    end: int
    after: KnownTurn | None  # the known turn before them
    #: Whether the record has all turns of the conversation up to there, and not only the latest.
    whole: bool = True


class _Recogniser:
    def __init__(self, known: KnownTurns) -> None:
        self._known = known
        self.found = Recognised()

    def take(self, new: NewConversation) -> None:
        row = self._known.row_of(new)
        session = None if new.session_hash is None else self._known.of_session(new.session_hash)
        relative = row or session
        if relative is not None and len(new.turns) == 1 and not system_prompt(new.conversation.messages):
            self._follow(new, relative)
        elif (longest := self._longest_known(new, row, relative)) is not None:
            self._take_prefix(new, row, relative, *longest)
        elif relative is not None:
            self._take_relative(new, row, relative)
        elif self._known.was_deleted(new):
            self.found.duplicates += 1
        else:
            self._begin(new)

    def _longest_known(
        self, new: NewConversation, row: KnownRow | None, relative: KnownRow | None
    ) -> tuple[int, KnownTurn] | None:
        """Return the last turn of a record up to which all are known, as its index and the known turn.

        Those of ``relative``'s conversation are known whoever is named in its rows: not all of them need name the user.
        """
        for index, found in self._known.longest_first(new):
            likely = [
                turn for turn in found if _may_be_same(turn.row, new, row, _answers(new, until=index + 1))
            ]
            if likely:
                # Of several, the record's own row, one of its session, then one that no record ended with.
                return index, max(
                    likely, key=lambda turn: (turn.row is row, _same_session(turn.row, new), not turn.claimed)
                )
        if relative is None:
            return None
        related = {turn.digest: turn for turn in self._known.of_thread(relative.thread)}
        known = (index for index in range(len(new.turns) - 1, -1, -1) if new.turns[index].digest in related)
        return next(((index, related[new.turns[index].digest]) for index in known), None)

    def _take_prefix(
        self,
        new: NewConversation,
        row: KnownRow | None,
        relative: KnownRow | None,
        index: int,
        turn: KnownTurn,
    ) -> None:
        """Take a record of which all turns up to ``index`` are known."""
        if index + 1 < len(new.turns):
            end = len(new.turns) if relative is None else self._first_known(new, index + 1, relative)
            if end > index + 1:
                self._extend(new, _Part(first=index + 1, end=end, after=turn), turn.row)
            else:
                self._take_relative(new, row, relative or turn.row)
        elif row is not None or self._known.was_deleted(new):
            self.found.duplicates += 1
            self.found.repeats.append((new, turn.row))
        elif not turn.claimed or _answers(new) > 1:
            self._repeat(new, turn)
        elif not _same_session(turn.row, new):
            self._begin(new, remembered=new.user_hash is not None or new.session_hash is not None)
        elif turn.row.at == new.conversation.at:
            self._repeat(new, turn)
        else:
            self._follow(new, turn.row)

    def _take_relative(self, new: NewConversation, row: KnownRow | None, relative: KnownRow) -> None:
        """Take a record of a known conversation whose turns begin with none that is known."""
        exchanges = {
            turn.exchange: turn
            for turn in self._known.of_thread(relative.thread)
            if turn.exchange is not None
        }
        part = _unknown_part(new.turns, exchanges) if _answers(new) > 1 else None
        if part is not None and part.first == part.end:
            last = exchanges[
                next(turn.exchange for turn in reversed(new.turns) if turn.exchange in exchanges)
            ]
            if row is None:
                self._repeat(new, last)
            else:
                self.found.duplicates += 1
                self.found.repeats.append((new, last.row))
        elif part is not None:
            self._extend(new, part, relative)
        elif new.session_hash is not None and _may_follow(new):
            self._follow(new, relative)
        elif new.session_hash is None and _answers(new) <= 1:
            self.found.duplicates += 1  # one id, other words: the first counts
        else:
            self._extend(new, _Part(first=0, end=len(new.turns), after=None), relative)

    def _first_known(self, new: NewConversation, start: int, relative: KnownRow) -> int:
        """Return where the new turns of a record end: before those that a record of the latest turns brought.

        An answer that the record gave before ``start``, too, is one that the chat repeats.
        """
        own = {turn.exchange for turn in new.turns[:start]}
        known = {turn.exchange for turn in self._known.of_thread(relative.thread)} - own - {None}
        after = start
        for index in range(start, len(new.turns)):
            if new.turns[index].exchange in known:
                return after
            if new.turns[index].exchange is not None:
                after = index + 1
        return len(new.turns)

    def _repeat(self, new: NewConversation, turn: KnownTurn) -> None:
        if not turn.claimed:
            turn.claimed = True
            self.found.claimed.append(turn)
        self._known.name(new, turn.row)
        self.found.names.append((new, turn.row))
        self.found.repeats.append((new, turn.row))

    def _begin(self, new: NewConversation, *, remembered: bool = True) -> None:
        conversation = new.conversation
        row, request = _row_for(new, Thread(), new.held_out, new.group), request_digest(conversation)
        follows = new.session_hash is not None and _may_follow(new)
        self._add(
            NewRow(
                new=new,
                record=new,
                row=row,
                parent_turns=FOLLOWS if follows else None,
                request=request,
                context=_context(conversation),
                turns=_known_turns(new.turns, new, row, request) if remembered else (),
            )
        )

    def _follow(self, new: NewConversation, relative: KnownRow) -> None:
        """Add a record that holds one message or exchange; its history is what came before in time."""
        row, at = self._known.row_of(new), new.conversation.at
        if row is not None and row.at == at and self._holds_last_turn(row, new):
            self.found.duplicates += 1
            return
        seed = f"{new.turns[-1].digest} {at.isoformat()}"
        self._append(new, new.conversation.messages, new.turns, relative, seed=seed, parent_turns=FOLLOWS)

    def _holds_last_turn(self, row: KnownRow, new: NewConversation) -> bool:
        found = next(self._known.longest_first(new), None)
        return (
            found is not None and found[0] == len(new.turns) - 1 and any(turn.row is row for turn in found[1])
        )

    def _extend(self, new: NewConversation, part: _Part, relative: KnownRow) -> None:
        """Add the new turns of a record to the conversation of ``relative``."""
        messages, turns = new.conversation.messages, new.turns[part.first : part.end]
        first = new.turns[part.first - 1].index + 1 if part.after else 0
        last = new.turns[part.end - 1].index + 1 if part.end < len(new.turns) else len(messages)
        anchor = part.after.row if part.after else relative
        gone = part.after is not None and anchor.conversation_id is None
        context = _context(new.conversation)
        if part.after is not None:
            context = _changed_context(new, part, messages[:first] if gone else None)
        if part.end < len(new.turns):
            new = self._without_opinion(new, relative)
        self._append(
            new, messages[first:last], turns, anchor,
            seed=str(turns[-1].digest),
            parent=None if gone or part.after is None else anchor,
            parent_turns=None if gone or part.after is None else part.after.number,
            context=context,
        )  # fmt: skip

    def _without_opinion(self, new: NewConversation, relative: KnownRow) -> NewConversation:
        """Leave what users think of a record's last answer to the row that holds it, where another record brought it."""
        conversation = new.conversation
        if conversation.feedback is None and conversation.rejected is None:
            return new
        last = next(
            (
                turn
                for turn in self._known.of_thread(relative.thread)
                if turn.exchange is not None and turn.exchange == new.turns[-1].exchange
            ),
            None,
        )
        if last is None:
            return new
        self.found.repeats.append((new, last.row))
        return replace(new, conversation=replace(conversation, feedback=None, rejected=None))

    def _append(
        self,
        new: NewConversation,
        messages: Sequence[Message],
        turns: Sequence[Turn],
        relative: KnownRow,
        *,
        seed: str,
        parent: KnownRow | None = None,
        parent_turns: int | None = None,
        context: Mapping[str, JSON] | None = None,
    ) -> None:
        id_, hash_ = new.conversation.conversation_id, new.conversation_hash
        if (
            self._known.row_of(new) is not None
        ):  # the id grows: the row gets one of its own, which its turns decide
            suffix = _GROWN + hashlib.sha256(seed.encode()).hexdigest()[:_DIGITS]
            id_, hash_ = id_ + suffix, hashlib.sha256((hash_ + suffix).encode()).hexdigest()[:32]
            if self._known.has_id(id_):
                self.found.duplicates += 1
                return
        group = new.group if new.user_hash is not None else relative.group or new.group
        request = request_digest(new.conversation)
        changed = replace(
            new,
            conversation=replace(new.conversation, conversation_id=id_, messages=tuple(messages)),
            conversation_hash=hash_,
            held_out=relative.held_out,
            group=group,
            turns=tuple(turns),
            text_digest=text_digest(messages),
        )
        row = _row_for(changed, relative.thread, relative.held_out, group)
        self._add(
            NewRow(
                new=changed, record=new, row=row, continues=True, parent=parent, parent_turns=parent_turns, request=request,
                context=context, turns=_known_turns(turns, new, row, request),
            )
        )  # fmt: skip

    def _add(self, added: NewRow) -> None:
        self.found.rows.append(added)
        self._known.add(added.row, added.turns)


def _may_be_same(row: KnownRow, new: NewConversation, own: KnownRow | None, answered: int) -> bool:
    """Return whether a row with the same first turns may be of the same chat, given how many answers they hold.

    Without an answer in common, only id or session tells. With one, the chats of two sessions may both begin with it.
    """
    if None not in (row.user_hash, new.user_hash) and row.user_hash != new.user_hash:
        return False
    if _same_session(row, new) or (own is not None and row.thread is own.thread):
        return True
    other_session = None not in (row.session_hash, new.session_hash) and row.session_hash != new.session_hash
    return answered > (1 if other_session else 0)


def _may_follow(new: NewConversation) -> bool:
    """Return whether a record may be one message or exchange of a session, rather than all that the model was given."""
    return _answers(new) <= 1 and not system_prompt(new.conversation.messages)


def _same_session(row: KnownRow, new: NewConversation) -> bool:
    return new.session_hash is not None and row.session_hash == new.session_hash


def _answers(new: NewConversation, *, until: int | None = None) -> int:
    return sum([turn.exchange is not None for turn in new.turns[:until]])


def _unknown_part(turns: Sequence[Turn], exchanges: Mapping[int, KnownTurn]) -> _Part | None:
    """Return the turns of a record between those that are known; None if none is known.

    An answer with which a record begins is known: what it answers was cut off.
    """
    answers = [index for index, turn in enumerate(turns) if turn.exchange is not None]
    if not any(turns[index].exchange in exchanges for index in answers):
        return None
    unknown = [index for index in answers if index > 0 and turns[index].exchange not in exchanges]
    if not unknown:
        return _Part(first=len(turns), end=len(turns), after=None)
    before = max((index for index in answers if index < unknown[0]), default=-1)
    exchange = turns[before].exchange if before >= 0 else None
    after = None if exchange is None else exchanges.get(exchange)
    reaches_end = unknown[-1] == answers[-1]
    end = len(turns) if reaches_end else unknown[-1] + 1
    return _Part(first=before + 1 if after else 0, end=end, after=after, whole=False)


def _row_for(new: NewConversation, thread: Thread, held_out: bool, group: str) -> KnownRow:
    return KnownRow(
        thread=thread,
        held_out=held_out,
        conversation_id=new.conversation.conversation_id,
        user_hash=new.user_hash,
        session_hash=new.session_hash,
        group=group,
        record_sha256=new.record_sha256,
        at=new.conversation.at,
    )


def _known_turns(
    turns: Sequence[Turn], record: NewConversation, row: KnownRow, request: int | None
) -> tuple[KnownTurn, ...]:
    """Return the turns by which a row is recognised: not by a first question, unless nothing answers it."""
    last = record.turns[-1]
    first = 0 if turns[0] is not record.turns[0] else answered(turns)
    return tuple(
        [
            KnownTurn(row, number, turn.digest, turn.exchange, request, turn is last)
            for number, turn in enumerate(turns, start=1)
            if number > first or turn is last
        ]
    )


def _context(conversation: Conversation) -> dict[str, JSON] | None:
    if not (conversation.tools or conversation.documents):
        return None
    return {"tools": conversation.tools, "documents": conversation.documents}


def _changed_context(
    new: NewConversation, part: _Part, history: Sequence[Message] | None
) -> dict[str, JSON] | None:
    """Return what of a record's request differs from that of the turn before its new ones, and what is stored nowhere."""
    conversation = new.conversation
    context: dict[str, JSON] = {}
    if part.after is None or part.after.request != request_digest(conversation):
        context = {
            "tools": conversation.tools,
            "documents": conversation.documents,
            "system": system_prompt(conversation.messages),
        }
    if history is not None:
        context["history"] = message_documents(history)
    elif not part.whole:
        context["window"] = part.first
    return context or None
