"""Removes personal data from everything in a decoded record that people wrote."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from daemon.domain.conversation import JSON, Conversation, Feedback, FeedbackRecord, Message, Record
from daemon.domain.personal_data import PersonalData
from daemon.intake.privacy.redaction import Redactor

#: Metadata fields that hold a user's id, or an object with one, in the APIs whose logs are read.
_USER_FIELD = re.compile(r"(?:end[_-]?)?user(?:[_-]?(?:id|name))?|uid|safety[_-]?identifier", re.IGNORECASE)


class Cleaner:
    """Redacts messages, corrections, metadata and ids. The same record always gives the same result."""

    def __init__(
        self,
        redactor: Redactor,
        *,
        pseudonym: Callable[[str], str],
        user_pseudonym: Callable[[str], str],
    ) -> None:
        """``pseudonym`` replaces an id that holds personal data, ``user_pseudonym`` a user's id in metadata.

        Each must give the same result for the same id.
        """
        self._redactor = redactor
        self._pseudonym = pseudonym
        self._user_pseudonym = user_pseudonym

    def clean(self, record: Record, found: Counter[PersonalData]) -> Record:
        """Return the record without personal data; add to ``found`` what was removed."""
        id_ = self._id(record.conversation_id, found)
        if isinstance(record, FeedbackRecord):
            feedback = self._feedback(record.feedback, found)
            if feedback is record.feedback and id_ is record.conversation_id:
                return record
            return dataclasses.replace(record, conversation_id=id_, feedback=feedback or record.feedback)
        return self._conversation(record, id_, found)

    def _conversation(
        self, conversation: Conversation, id_: str, found: Counter[PersonalData]
    ) -> Conversation:
        changed: dict[str, object] = {}
        if id_ is not conversation.conversation_id:
            changed["conversation_id"] = id_
        # One quick look at all messages together; each is redacted only if that finds something suspicious.
        if self._redactor.suspects("\n".join([message.content for message in conversation.messages])):
            changed["messages"] = tuple(self._message(message, found) for message in conversation.messages)
        if conversation.feedback is not None:
            changed["feedback"] = self._feedback(conversation.feedback, found)
        if conversation.metadata:
            without_users = self._without_users(conversation.metadata, conversation.user_id)
            redacted = self._redactor.redact_json(without_users, found)
            changed["metadata"] = redacted if isinstance(redacted, Mapping) else {}
        return dataclasses.replace(conversation, **changed) if changed else conversation  # type: ignore[arg-type]

    def _without_users(self, value: JSON, user_id: str | None, *, named: bool = False) -> JSON:
        """Replace the user's id, and the values of all fields that name a user, by pseudonyms."""
        if isinstance(value, Mapping):
            return {
                key: self._without_users(item, user_id, named=named or _USER_FIELD.fullmatch(key) is not None)
                for key, item in value.items()
            }
        if isinstance(value, str):
            return self._user_pseudonym(value) if named or value == user_id else value
        if isinstance(value, Sequence):
            return [self._without_users(item, user_id, named=named) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._user_pseudonym(str(value)) if named or str(value) == user_id else value
        return value

    def _message(self, message: Message, found: Counter[PersonalData]) -> Message:
        redacted = self._redactor.redact(message.content)
        found.update(redacted.found)
        return dataclasses.replace(message, content=redacted.text) if redacted.found else message

    def _feedback(self, feedback: Feedback | None, found: Counter[PersonalData]) -> Feedback | None:
        if feedback is None or feedback.correction is None:
            return feedback
        redacted = self._redactor.redact(feedback.correction)
        found.update(redacted.found)
        return dataclasses.replace(feedback, correction=redacted.text) if redacted.found else feedback

    def _id(self, id_: str, found: Counter[PersonalData]) -> str:
        redacted = self._redactor.redact(id_)
        if not redacted.found:
            return id_
        found.update(redacted.found)
        return self._pseudonym(id_)
