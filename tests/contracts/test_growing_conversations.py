"""Conversations that grow: rows hold new turns only, and feedback, erasure and retention reach all of them."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, select, update

from daemon.domain.conversation import Conversation, Feedback, Message
from daemon.domain.records import BatchResult, Coordinates, StoredConversation
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.erasures import ErasureLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.subject_rows import Subject
from daemon.ledger.tables import conversations, other_names, past_conversations, turns
from daemon.retention.conversations import ConversationRetention
from tests.factories.chats import HOLDOUT, Chat, Evidence, batches_of, records_of, routed
from tests.factories.ledger import NOW, TOPIC, a_batch, a_feedback
from tests.factories.retention import some_retention


class Log:
    """Records of one partition, read one batch each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.intake = IntakeLedger(engine, window_size=20)
        self.offset = 0

    def read(self, *records: Conversation) -> BatchResult:
        return self.intake.record(a_batch([routed(record, self._next()) for record in records]))

    def opine(self, id_: str, thumb: str = "down") -> None:
        given = a_feedback(self._next().offset, id_, thumb=thumb, at=NOW + timedelta(hours=1))
        self.intake.record(
            a_batch(feedback=[replace(given, conversation_hash=HOLDOUT.conversation_hash(id_))])
        )

    def correct(self, id_: str, correction: str, *, hours: int = 1) -> None:
        given = a_feedback(self._next().offset, id_, at=NOW + timedelta(hours=hours))
        named = replace(
            given, feedback=Feedback(correction=correction), conversation_hash=HOLDOUT.conversation_hash(id_)
        )
        self.intake.record(a_batch(feedback=[named]))

    def corrections(self) -> list[str | None]:
        return [row.correction for row in self.rows()]

    def rows(self) -> list[StoredConversation]:
        ledger = ConversationLedger(self.engine)
        return ledger.with_histories(ledger.between(SeqRange(first=1, last=10**6)))

    def opinions(self) -> list[float | None]:
        return [row.feedback for row in self.rows()]

    def _next(self) -> Coordinates:
        self.offset += 1
        return Coordinates(topic=TOPIC, partition=0, offset=self.offset - 1)


@pytest.fixture
def log(engine: Engine) -> Log:
    return Log(engine)


def a_log(chat: Chat) -> list[Conversation]:
    return records_of(chat, random.Random(1))


def texts(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages]


def told(row: StoredConversation) -> list[str]:
    return texts([past.message for past in row.history])


CHAT = Chat(name="chat", exchanges=3)


def test_a_record_that_sends_its_history_again_adds_its_new_turns(log: Log) -> None:
    results = [log.read(record) for record in a_log(CHAT)]

    assert [(one.conversations, one.continued) for one in results] == [(1, 0), (1, 1), (1, 1)]
    assert [texts(row.messages) for row in log.rows()] == [
        [f"chat asks {n}", f"chat answer {n}"] for n in range(3)
    ]
    assert [len(row.history) for row in log.rows()] == [0, 2, 4]
    assert {row.thread for row in log.rows()} == {1}


def test_a_shorter_history_that_comes_later_brings_nothing(log: Log) -> None:
    first, second, third = a_log(CHAT)
    log.read(third)

    assert [log.read(record).repeated for record in (first, second)] == [1, 1]
    assert [log.read(record).duplicates for record in (first, third)] == [1, 1]
    assert len(log.rows()) == 1


def test_another_answer_to_one_question_is_a_branch(log: Log) -> None:
    log.read(*a_log(replace(CHAT, regenerated=1)))

    branch = log.rows()[-1]
    assert texts(branch.messages) == ["chat again"]
    assert told(branch) == ["chat asks 0", "chat answer 0", "chat asks 1"]


def test_an_id_that_comes_again_with_more_turns_gets_rows_of_its_own(log: Log) -> None:
    log.read(*a_log(replace(CHAT, style="growing id")))

    first, *others = [row.conversation_id for row in log.rows()]
    assert first == "chat"
    assert len({*others}) == 2
    assert all(id_.startswith("chat#") for id_ in others)


def test_a_window_of_history_is_joined_by_its_session(log: Log) -> None:
    log.read(*a_log(Chat(name="chat", exchanges=5, style="sliding", session="always", window=2)))

    last = log.rows()[-1]
    assert texts(last.messages) == ["chat asks 4", "chat answer 4"]
    assert told(last) == ["chat asks 3", "chat answer 3"], "the model was given no more"


def test_single_messages_are_joined_in_the_order_of_their_times(log: Log) -> None:
    asked, answered, again, done = a_log(Chat(name="chat", exchanges=2, style="messages", session="always"))
    log.read(done, again)
    log.read(answered)
    log.read(asked, asked)

    last = next(row for row in log.rows() if texts(row.messages) == ["chat answer 1"])
    assert told(last) == ["chat asks 0", "chat answer 0", "chat asks 1"]
    assert len(log.rows()) == 4


def test_a_system_prompt_is_stored_again_only_where_it_changed(log: Log) -> None:
    first, second, third = a_log(replace(CHAT, prompt="It is Monday."))
    tuesday = replace(third, messages=(Message(role="system", content="It is Tuesday."), *third.messages[1:]))
    log.read(first, second, tuesday)

    assert [told(row)[:1] for row in log.rows()] == [[], ["It is Monday."], ["It is Tuesday."]]
    assert [row.messages[0].role for row in log.rows()] == ["system", "user", "user"]


def test_tools_are_those_of_the_record_that_brought_the_turns(log: Log) -> None:
    first, second, third = a_log(CHAT)
    one, other = {"name": "search"}, {"name": "order"}
    log.read(replace(first, tools=(one,)), replace(second, tools=(one,)), replace(third, tools=(other,)))

    assert [row.tools for row in log.rows()] == [(one,), (one,), (other,)]
    with log.engine.connect() as connection:
        contexts = connection.scalars(select(conversations.c.context).order_by(conversations.c.seq)).all()
    assert contexts[1] is None


def test_chats_of_two_users_that_begin_with_the_same_words_stay_apart(log: Log) -> None:
    mine, yours = (
        a_log(Chat(name=name, exchanges=1, user="always", greets=True)) for name in ("mine", "yours")
    )
    log.read(mine[0], yours[0])
    log.read(mine[1], yours[1])

    threads = [row.thread for row in log.rows()]
    assert threads == [1, 2, 1, 2]


def test_the_same_words_said_to_nobody_in_particular_are_two_conversations(log: Log) -> None:
    one = a_log(Chat(name="chat", exchanges=1))[0]

    assert log.read(one, replace(one, conversation_id="another")).conversations == 2


def test_a_conversation_keeps_its_side_whoever_is_named_later(log: Log) -> None:
    first, second, third = a_log(CHAT)
    other_side = next(
        user
        for user in map(str, range(99))
        if HOLDOUT.holds_out(HOLDOUT.user_hash(user))
        != routed(first, Coordinates(topic=TOPIC, partition=0, offset=0)).held_out
    )
    log.read(first, replace(second, user_id=other_side), third)

    assert len({row.held_out for row in log.rows()}) == 1


def test_feedback_on_an_answers_record_is_on_its_row(log: Log) -> None:
    first, second, third = a_log(CHAT)
    log.read(first, second, third)

    log.opine("chat-1")

    assert log.opinions() == [None, -1.0, None]


def test_feedback_on_a_record_that_brought_nothing_is_on_the_row_with_its_answer(log: Log) -> None:
    first, _, third = a_log(CHAT)
    log.opine("chat-0")
    log.read(third, first)

    assert log.opinions() == [-1.0]


@pytest.mark.parametrize("early", [True, False])
def test_feedback_on_the_conversation_is_on_its_newest_row(log: Log, early: bool) -> None:
    records = a_log(replace(CHAT, session="always"))
    if early:
        log.opine("session of chat")
    log.read(*records)
    if not early:
        log.opine("session of chat")

    assert log.opinions() == [None, None, -1.0]


def test_feedback_on_an_id_that_grows_is_on_its_newest_row(log: Log) -> None:
    log.read(*a_log(replace(CHAT, style="growing id")))

    log.opine("chat")

    assert log.opinions() == [None, None, -1.0]


def test_feedback_inside_a_record_that_comes_again_is_kept(log: Log) -> None:
    first, second, _ = a_log(CHAT)
    log.read(second)

    result = log.read(replace(first, feedback=Feedback(thumb="down")))

    assert log.opinions() == [-1.0]
    assert (result.repeated, result.feedback, result.not_admitted) == (1, 1, 0)


def test_a_correction_is_on_the_row_of_its_answer_whatever_names_it(log: Log) -> None:
    first, second, third = a_log(replace(CHAT, session="always"))
    log.correct("chat-0", "first")
    log.read(second, first, third)  # the second brought all turns of the first

    log.correct("chat-1", "second", hours=2)
    log.correct("session of chat", "third")

    assert log.corrections() == ["second", "third"]


def test_a_correction_inside_a_record_that_comes_again_is_the_newest(log: Log) -> None:
    first, second, _ = a_log(CHAT)
    log.read(replace(second, feedback=Feedback(correction="second")))
    later = replace(first, at=first.at + timedelta(hours=1), feedback=Feedback(correction="again"))

    log.read(replace(later, conversation_id="chat-9", messages=second.messages))

    assert log.corrections() == ["again"]
    assert [row.record_correction for row in log.rows()] == ["second"]


def test_a_correction_of_an_id_that_grows_is_on_its_newest_row(log: Log) -> None:
    log.read(*a_log(replace(CHAT, style="growing id")))

    log.correct("chat", "third")

    assert log.corrections() == [None, None, "third"]


@pytest.mark.parametrize("early", [True, False])
def test_feedback_on_a_session_of_single_messages_is_on_its_newest_answer(log: Log, early: bool) -> None:
    *earlier, question, _ = a_log(replace(CHAT, style="messages", session="always"))
    if early:
        log.correct("session of chat", "rather so")
        log.opine("session of chat")
    log.read(*earlier[:2] if early else earlier, question)
    if not early:
        log.correct("session of chat", "rather so")
        log.opine("session of chat")

    [judged] = [row for row in log.rows() if row.correction is not None]

    assert (judged.messages[-1].role, judged.feedback) == ("assistant", -1.0)


def test_an_opinion_in_a_record_that_fills_a_gap_is_on_the_row_of_its_last_answer(log: Log) -> None:
    """The latest turns came first, in a window; the whole chat that comes later ends with an answer that is known."""
    whole = a_log(replace(CHAT, session="always"))
    latest = replace(whole[2], messages=whole[2].messages[-2:])
    log.read(whole[0], latest)

    log.read(replace(whole[2], conversation_id="chat-9", feedback=Feedback(correction="the last")))

    [judged] = [row for row in log.rows() if row.correction is not None]
    assert judged.messages[-1] == whole[2].messages[-1]


@pytest.mark.parametrize("named", ["chat-0", "chat-1", "session of chat"])
def test_forgetting_a_conversation_by_any_of_its_ids_erases_all_of_it(log: Log, named: str) -> None:
    first, second, third = a_log(replace(CHAT, session="always"))
    log.read(second, first, third)
    subject = Subject(kind="conversation", id=named, hash=HOLDOUT.conversation_hash(named))

    removed, _ = ErasureLedger(log.engine).erase(subject, by="me", why="asked", now=NOW)

    assert removed.conversations == 2
    with log.engine.connect() as connection:
        assert connection.execute(select(turns)).all() == []
        assert connection.execute(select(other_names)).all() == []
    assert log.read(first, second, third).forgotten == 3


@pytest.mark.parametrize("evidence", ["always", "never"])
def test_the_history_of_a_forgotten_conversation_is_not_stored_again(log: Log, evidence: Evidence) -> None:
    first, second, third = a_log(replace(CHAT, user=evidence))
    log.read(first, second)
    log.read(*a_log(Chat(name="other", exchanges=1)))
    subject = Subject(kind="conversation", id="chat-0", hash=HOLDOUT.conversation_hash("chat-0"))
    ErasureLedger(log.engine).erase(subject, by="me", why="asked", now=NOW)

    assert log.read(third).forgotten == 1
    assert log.read(replace(third, user_id=None)).forgotten == 1
    assert [texts(row.messages) for row in log.rows()] == [["other asks 0", "other answer 0"]]


def test_others_may_begin_as_a_forgotten_conversation_did(log: Log) -> None:
    mine, yours = (
        a_log(Chat(name=name, exchanges=1, greets=True, user="always")) for name in ("mine", "yours")
    )
    theirs = a_log(Chat(name="theirs", exchanges=1, greets=True))
    log.read(*mine, theirs[0])
    subject = Subject(kind="conversation", id="mine-0", hash=HOLDOUT.conversation_hash("mine-0"))
    ErasureLedger(log.engine).erase(subject, by="me", why="asked", now=NOW)

    assert log.read(*yours).conversations == 2
    assert log.read(theirs[1]).conversations == 1


def test_forgetting_a_user_erases_the_turns_of_their_chat_that_name_nobody(log: Log) -> None:
    first, second, third = a_log(CHAT)
    log.read(first, replace(second, user_id="u"), third)
    log.read(*a_log(Chat(name="other", exchanges=1)))

    removed, _ = ErasureLedger(log.engine).erase(
        Subject(kind="user", id="u", hash=HOLDOUT.user_hash("u")), by="me", why="asked", now=NOW
    )

    assert removed.conversations == 3
    assert len(log.rows()) == 1


def test_a_chat_goes_on_after_retention_took_its_beginning(log: Log) -> None:
    first, second, third = a_log(CHAT)
    log.read(first)
    with log.engine.begin() as connection:
        connection.execute(delete(conversations))
        connection.execute(
            past_conversations.insert().values(conversation_hash=HOLDOUT.conversation_hash("chat-0"))
        )

    assert log.read(first).duplicates == 1
    assert log.read(second).continued == 1
    [row] = log.rows()
    assert (texts(row.messages), told(row)) == (
        ["chat asks 1", "chat answer 1"],
        ["chat asks 0", "chat answer 0"],
    )
    assert log.read(third).continued == 1
    assert len(log.rows()[-1].history) == 4


def test_a_row_whose_parent_is_gone_says_so(log: Log) -> None:
    log.read(*a_log(CHAT))
    with log.engine.begin() as connection:
        connection.execute(delete(conversations).where(conversations.c.seq == 1))

    assert [row.history_gone for row in log.rows()] == [True, True]


def test_retention_keeps_or_drops_a_conversation_as_a_whole(log: Log) -> None:
    chats = [Chat(name=f"chat {number}", exchanges=4) for number in range(30)]
    growing = Chat(name="growing", exchanges=40)
    records = a_log(growing)
    log.read(*records[:4], *(record for chat in chats for record in a_log(chat)))
    for record in records[4:]:
        log.read(record)
    retention = ConversationRetention(log.engine, lambda: some_retention(conversations=20, sample=40))
    while retention.prune(NOW):
        pass

    left = Counter(row.thread for row in log.rows())
    assert not any(row.history_gone for row in log.rows())
    assert left[1] == 40, "it still grows"
    assert len(left) < 31


def test_a_conversation_that_an_earlier_release_stored_goes_on(log: Log) -> None:
    first, second, _ = a_log(replace(CHAT, style="growing id"))
    log.read(first)
    with log.engine.begin() as connection:
        connection.execute(delete(turns))
        connection.execute(update(conversations).values(parent_turns=None))

    assert log.read(second).continued == 1
    assert texts(log.rows()[1].messages) == ["chat asks 1", "chat answer 1"]


@pytest.mark.parametrize("seed", range(4))
def test_order_partitions_and_repeats_change_nothing(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    chats = [
        Chat(name="a", exchanges=6, user="sometimes", regenerated=2),
        Chat(name="b", exchanges=5, style="growing id", session="sometimes", prompt="Be kind."),
        Chat(name="c", exchanges=6, style="sliding", session="always", user="sometimes"),
        Chat(name="d", exchanges=4, style="messages", session="always"),
    ]
    records = [record for chat in chats for record in records_of(chat, chance)] * 2
    chance.shuffle(records)
    replicas = [IntakeLedger(engine, window_size=20) for _ in range(2)]
    for batch in batches_of(records, partitions=3, chance=chance):
        chance.choice(replicas).record(batch)

    rows = ConversationLedger(engine).between(SeqRange(first=1, last=10**6))
    said = Counter(message.content for row in rows for message in row.messages if message.role != "system")
    assert set(said.values()) == {1}
    assert len(said) == sum(2 * chat.exchanges for chat in chats) + 1
    for chat in chats:
        assert (
            len(
                {
                    row.held_out
                    for row in rows
                    for text in texts(row.messages)
                    if text.startswith(f"{chat.name} ")
                }
            )
            == 1
        )
