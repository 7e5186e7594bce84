"""Takes everything of users or conversations out of the ledger's tables, within a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, func, select, update

from daemon.domain.records import Coordinates
from daemon.ledger.dead_letter_search import remove_dead_letters_naming
from daemon.ledger.erased_corrections import forget_corrections
from daemon.ledger.erased_turns import erased_turns
from daemon.ledger.reports import drop_incomplete_reports, reports_made_of
from daemon.ledger.sql_in import in_values
from daemon.ledger.subject_rows import Subject, rows_of_subjects
from daemon.ledger.tables import (
    conversations,
    feedback,
    gate_answers,
    lesson_scores,
    losses,
    opinions,
    other_names,
    scores,
    training_records,
    turns,
)
from daemon.ledger.teacher import forget_answers
from daemon.ledger.window_examples import remove_examples


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What an erasure removed from the ledger. The records stay in Kafka until the topic's retention deletes them."""

    conversations: int
    feedback: int
    dead_letters: int
    reports: int  # reports that were made of erased conversations
    training_records: int  # records of training runs, marked as erased
    runs: tuple[str, ...]  # runs that learned from erased records
    published: tuple[Coordinates, ...]  # records whose dead letters were published to the dead-letter topic


@dataclass(slots=True)
class Removal:
    """What was found of one subject, and taken out."""

    subject: Subject
    seqs: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)  # as they are stored: one with personal data is its own hash
    #: Of its conversations, those included that only the lists of runs still name: retention took them.
    conversation_hashes: dict[str, None] = field(default_factory=dict)
    turns: dict[str, None] = field(default_factory=dict)  # as tombstones name them
    feedback: int = 0
    dead_letters: int = 0
    reports: int = 0
    training_records: int = 0
    runs: set[str] = field(default_factory=set)
    published: list[Coordinates] = field(default_factory=list)

    @property
    def removed(self) -> Removed:
        """What was taken out, in numbers."""
        return Removed(
            conversations=len(self.seqs),
            feedback=self.feedback,
            dead_letters=self.dead_letters,
            reports=self.reports,
            training_records=self.training_records,
            runs=tuple(sorted(self.runs)),
            published=tuple(self.published),
        )

    @property
    def took_rows(self) -> bool:
        """Whether a row of the subject was in the ledger."""
        return bool(self.seqs or self.feedback or self.dead_letters)


def remove_subjects(connection: Connection, subjects: Sequence[Subject]) -> list[Removal]:
    """Take out everything of subjects of one kind; return what was found of each, in their order.

    The number of statements does not grow with that of subjects. What belongs to two subjects, such as a report, counts
    for the first of them.
    """
    removals = {subject.hash: Removal(subject) for subject in subjects}
    _remove_conversations(connection, removals)
    _remove_feedback(connection, removals)
    _remove_dead_letters(connection, removals)
    _mark_training_records(connection, removals)
    return list(removals.values())


def _remove_conversations(connection: Connection, removals: Mapping[str, Removal]) -> None:
    for seq, id_, hash_, of in rows_of_subjects(connection, [one.subject for one in removals.values()]):
        removal = removals[of]
        removal.seqs.append(seq)
        removal.ids.append(id_)
        removal.conversation_hashes[hash_] = None
    seqs = [seq for removal in removals.values() for seq in removal.seqs]
    made_of = reports_made_of(connection, seqs) if seqs else {}
    if seqs:
        remove_examples(connection, seqs, [id_ for removal in removals.values() for id_ in removal.ids])
        _note_turns(connection, removals)
        _remove_other_names(connection, removals)
        forget_answers(connection, seqs, questions=True)
        for table in (scores, lesson_scores, gate_answers, losses, opinions, turns, conversations):
            connection.execute(delete(table).where(in_values(connection, table.c.seq, seqs)))
    for window in drop_incomplete_reports(connection):
        _first_of(removals, made_of.get(window, frozenset())).reports += 1


def _note_turns(connection: Connection, removals: Mapping[str, Removal]) -> None:
    """Note the turns of these rows: a record that sends them again as history must be dropped, whatever its id."""
    by_seq = {seq: removal for removal in removals.values() for seq in removal.seqs}
    for seq, name in erased_turns(connection, by_seq.keys()):
        by_seq[seq].turns[name] = None


def _remove_other_names(connection: Connection, removals: Mapping[str, Removal]) -> None:
    """Remove the other ids of these rows; records with these ids must be dropped, too."""
    by_seq = {seq: removal for removal in removals.values() for seq in removal.seqs}
    gone = delete(other_names).where(in_values(connection, other_names.c.seq, by_seq))
    for hash_, seq in connection.execute(gone.returning(other_names.c.conversation_hash, other_names.c.seq)):
        by_seq[seq].conversation_hashes[hash_] = None


def _first_of(removals: Mapping[str, Removal], members: frozenset[int]) -> Removal:
    """Return the first removal of one of these conversations; the first of all if retention took the others."""
    found = (removal for removal in removals.values() if not members.isdisjoint(removal.seqs))
    return next(found, next(iter(removals.values())))


def _remove_feedback(connection: Connection, removals: Mapping[str, Removal]) -> None:
    """Remove the feedback on these conversations; of a user, also the feedback on conversations that never arrived."""
    users = _are_users(removals)
    by_name: dict[str, Removal] = {}
    for removal in removals.values():
        own = () if users else (removal.subject.id, removal.subject.hash)
        for name in (*removal.ids, *own):
            by_name.setdefault(name, removal)
    column = feedback.c
    matches = in_values(connection, column.conversation_id, by_name)
    if users:
        matches |= in_values(connection, column.user_hash, removals)
    columns = (column.conversation_id, column.user_hash, column.digest, column.correction.is_not(None))
    gone = delete(feedback).where(matches).returning(*columns)
    corrected: dict[str, str] = {}  # conversations of others, which stay, by the correction that is gone
    by_digest: dict[str, Removal] = {}
    for name, user, digest, corrects in connection.execute(gone).all():
        by_digest[digest] = by_name.get(name) or removals[user]
        by_digest[digest].feedback += 1
        if corrects and name not in by_name:
            corrected[digest] = name
    for digest, run in forget_corrections(connection, corrected) if corrected else ():
        by_digest[digest].training_records += 1
        by_digest[digest].runs.add(run)


def _remove_dead_letters(connection: Connection, removals: Mapping[str, Removal]) -> None:
    by_name: dict[str, Removal] = {}
    for removal in removals.values():
        for name in (removal.subject.id, *removal.ids):
            by_name.setdefault(name, removal)
    for name, published in remove_dead_letters_naming(connection, list(by_name)):
        by_name[name].dead_letters += 1
        if published is not None:
            by_name[name].published.append(published)


def _mark_training_records(connection: Connection, removals: Mapping[str, Removal]) -> None:
    column = training_records.c
    by_hash = {hash_: of for of, removal in removals.items() for hash_ in (*removal.conversation_hashes, of)}
    matches = in_values(connection, column.conversation_hash, by_hash)
    if _are_users(removals):
        matches |= in_values(connection, column.group_key, removals)
    columns = (column.group_key, column.run, column.conversation_hash)
    query = select(*columns, func.count()).where(matches).group_by(*columns)
    found = connection.execute(query).all()
    for group, run, hash_, count in found:
        of = by_hash.get(hash_, group)
        removals[of].training_records += count
        removals[of].runs.add(run)
        removals[of].conversation_hashes[hash_] = None
    if found:
        connection.execute(update(training_records).where(matches).values(sha256=None, erased=True))


def _are_users(removals: Mapping[str, Removal]) -> bool:
    return any(removal.subject.kind == "user" for removal in removals.values())
