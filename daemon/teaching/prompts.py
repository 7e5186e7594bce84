"""Reads from the ledger which prompts a teacher should answer next."""

from collections.abc import Sequence

from daemon.config.lesson_rules import lesson_rules
from daemon.config.settings import Settings
from daemon.domain.records import StoredConversation
from daemon.domain.teaching import TeacherPurpose
from daemon.ledger.stores import Stores
from daemon.teaching.choosing import Candidate, candidate_of, choose, untaught
from daemon.teaching.question import Question, chat_messages

#: The newest conversations of each side that are looked at, and how many of them are compared at a time.
_NEWEST, _PAGE = 500, 200
#: Questions that are chosen at a time: later ones know what came meanwhile.
_AT_ONCE = 8


class PromptReader:
    """Chooses among the conversations since the last training. Only reads, so it may work beside the loop."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self._stores = stores
        self._teacher = settings.teacher
        self._rules = lesson_rules(settings)

    def read(self) -> list[Question]:
        """Return the next questions, in the order in which to ask them."""
        learned_until = self._stores.runs.learned_until()
        alarm = self._stores.windows.alarm(after_seq=learned_until)
        new = [*self._newest(learned_until, held_out=False), *self._newest(learned_until, held_out=True)]
        waiting = untaught(new, self._rules, changed_from=None if alarm is None else alarm.first_seq)
        if not waiting:
            return []
        known = [one.prompt for one in self._candidates([one for one in new if one.taught is not None])]
        for start in range(0, len(waiting), _PAGE):
            candidates = self._candidates([one.stored for one in waiting[start : start + _PAGE]])
            asked = self._stores.teacher.asked(
                [one.digest for one in candidates], model=self._teacher.model or ""
            )
            if chosen := choose(candidates, asked=asked, known=known, limit=_AT_ONCE):
                return [self._question(one) for one in chosen]
        return []

    def _newest(self, learned_until: int, *, held_out: bool) -> Sequence[StoredConversation]:
        return self._stores.conversations.newest(_NEWEST, held_out=held_out, since=learned_until + 1)

    def _candidates(self, stored: Sequence[StoredConversation]) -> list[Candidate]:
        whole = self._stores.conversations.with_histories(stored)
        return [candidate for one in whole if (candidate := candidate_of(one)) is not None]

    def _question(self, candidate: Candidate) -> Question:
        return Question(
            purpose=TeacherPurpose.ANSWER,
            digest=candidate.digest,
            messages=chat_messages(candidate.prompt, before=self._teacher.system_prompt),
            max_tokens=self._teacher.max_tokens,
            seq=candidate.seq,
        )
