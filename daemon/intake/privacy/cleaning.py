"""Removes personal data from everything in a decoded record that people wrote."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import orjson

from daemon.domain.conversation import JSON, Conversation, Feedback, FeedbackRecord, Message, Record, ToolCall
from daemon.domain.personal_data import PersonalData
from daemon.intake.decoding_fields import deeper_than
from daemon.intake.privacy.redaction import Redactor

#: Metadata fields that hold a user's id, or an object with one, in the APIs whose logs are read.
_USER_FIELD = re.compile(r"(?:end[_-]?)?user(?:[_-]?(?:id|name))?|uid|safety[_-]?identifier", re.IGNORECASE)


_MAX_DEPTH = 64  # of arguments that are redacted as JSON; deeper ones as text


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
        if conversation.session_id is not None:
            changed["session_id"] = self._id(conversation.session_id, found)
        # One quick look at all messages together; each is redacted only if that finds something suspicious.
        if self._redactor.suspects("\n".join(_texts(conversation.messages))) or _names_its_user(conversation):
            changed["messages"] = tuple(
                self._message(message, conversation.user_id, found) for message in conversation.messages
            )
        if conversation.rejected is not None:
            changed["rejected"] = self._message(conversation.rejected, conversation.user_id, found)
        for part in ("tools", "documents"):
            if given := getattr(conversation, part):
                changed[part] = self._json_objects(given, found)
        if conversation.feedback is not None:
            changed["feedback"] = self._feedback(conversation.feedback, found)
        if conversation.metadata:
            without_users = self._without_users(conversation.metadata, conversation.user_id)
            redacted = self._redactor.redact_json(without_users, found)
            changed["metadata"] = redacted if isinstance(redacted, Mapping) else {}
        return dataclasses.replace(conversation, **changed) if changed else conversation  # type: ignore[arg-type]

    def _json_objects(
        self, objects: tuple[Mapping[str, JSON], ...], found: Counter[PersonalData]
    ) -> tuple[JSON, ...]:
        if not self._redactor.suspects(orjson.dumps(objects).decode()):
            return objects
        return tuple(self._redactor.redact_json(one, found) for one in objects)

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

    def _message(self, message: Message, user_id: str | None, found: Counter[PersonalData]) -> Message:
        changed: dict[str, object] = {}
        for part in ("content", "reasoning", "name"):
            text = getattr(message, part)
            if text and (clean := self._text(text, found)) is not text:
                changed[part] = clean
        if message.name is not None and message.name == user_id:
            changed["name"] = self._user_pseudonym(user_id)
        if message.tool_calls:
            changed["tool_calls"] = tuple(self._tool_call(call, found) for call in message.tool_calls)
        return dataclasses.replace(message, **changed) if changed else message  # type: ignore[arg-type]

    def _tool_call(self, call: ToolCall, found: Counter[PersonalData]) -> ToolCall:
        """Redact a call's arguments; what was JSON stays JSON."""
        if not self._redactor.redact(call.arguments).found:
            return call
        try:
            arguments = orjson.loads(call.arguments)
        except orjson.JSONDecodeError:
            arguments = call.arguments
        if isinstance(arguments, str) or deeper_than(_MAX_DEPTH, arguments):
            clean = self._text(call.arguments, found)
        else:
            clean = orjson.dumps(self._redactor.redact_json(arguments, found)).decode()
        return dataclasses.replace(call, arguments=clean)

    def _text(self, text: str, found: Counter[PersonalData]) -> str:
        """Return the text without personal data, the same object if it has none."""
        redacted = self._redactor.redact(text)
        found.update(redacted.found)
        return redacted.text if redacted.found else text

    def _feedback(self, feedback: Feedback | None, found: Counter[PersonalData]) -> Feedback | None:
        if feedback is None or feedback.correction is None:
            return feedback
        correction = self._text(feedback.correction, found)
        return (
            feedback
            if correction is feedback.correction
            else dataclasses.replace(feedback, correction=correction)
        )

    def _id(self, id_: str, found: Counter[PersonalData]) -> str:
        redacted = self._redactor.redact(id_)
        if not redacted.found:
            return id_
        found.update(redacted.found)
        return self._pseudonym(id_)


def _texts(messages: Iterable[Message]) -> Iterator[str]:
    """Yield all texts of messages that may hold personal data, a text a turn in most."""
    for message in messages:
        yield message.content
        if message.reasoning is not None:
            yield message.reasoning
        if message.name is not None:
            yield message.name
        for call in message.tool_calls:
            yield call.arguments


def _names_its_user(conversation: Conversation) -> bool:
    user_id = conversation.user_id
    return user_id is not None and any(message.name == user_id for message in conversation.messages)
