"""Logs of one's own, whose fields the settings name."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from daemon.config.settings import FieldsSection
from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Conversation, Message, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.bare import read_bare_answer, read_bare_request
from daemon.intake.formats.dialects.chat_message import read_turn
from daemon.intake.formats.dialects.messages import read_system
from daemon.intake.formats.dialects.roles import role_of
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.dialects.turns import in_conversation
from daemon.intake.formats.identity import digest_id
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_feedback


class MappedFormat:
    """A record whose turns, or question and answer, stand at the paths of ``intake.fields``."""

    name = "fields"

    def __init__(self, paths: FieldsSection) -> None:
        self._paths = paths

    def recognises(self, record: Object) -> bool:
        """Return whether a record has something where its turns, or its question, should be."""
        return _at(record, self._paths.turns or self._paths.question) is not None

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation. Raises BadRecord, NoConversation."""
        paths = self._paths
        opinion = _at(record, paths.feedback)
        tools = _at(record, paths.tools)
        session = _name(record, paths.session)
        at = paths.turns or paths.question or ""
        conversation = Conversation(
            conversation_id=_name(record, paths.id) or digest_id(record),
            at=_time(record, paths.time, reading),
            model_line=fields.optional_name(record, "model_line"),
            model_version=_name(record, paths.model),
            user_id=_name(record, paths.user),
            session_id=session,
            messages=in_conversation(self._turns(record, reading), at, joins=session is not None),
            tools=tool_definitions(tools, paths.tools or ""),
            feedback=read_feedback(opinion, reading),
            metadata=self._metadata(record),
        )
        return (conversation,)

    def _turns(self, record: Object, reading: Reading) -> list[Message]:
        paths = self._paths
        turns: list[Message] = []
        if (prompt := _at(record, paths.system)) is not None:
            turns += read_system(prompt, paths.system or "", reading)
        if paths.turns is not None:
            return turns + self._listed(_at(record, paths.turns), paths.turns, reading)
        question, answer = paths.question or "", paths.answer or ""
        turns += read_bare_request(_at(record, question), question, reading).turns
        return [*turns, *read_bare_answer(_at(record, answer) or "", answer, reading).turns]

    def _listed(self, value: JSON, at: str, reading: Reading) -> list[Message]:
        if not isinstance(value, list):
            raise BadRecord(Reason.BAD_FIELD, at, f"must be a list, not {fields.kind(value)}")
        if len(value) > reading.limits.messages:
            raise BadRecord(
                Reason.OVER_LIMIT, at, f"has {len(value)} turns; allowed are {reading.limits.messages}"
            )
        turns: list[Message] = []
        for index, turn in enumerate(value):
            place = f"{at}[{index}]"
            if not isinstance(turn, dict):
                raise BadRecord(Reason.BAD_FIELD, place, f"must be an object, not {fields.kind(turn)}")
            role = role_of(_at(turn, self._paths.role), f"{place}.{self._paths.role}", self._paths.roles)
            said = _at(turn, self._paths.content)
            turns += read_turn(turn, role, said, place, f"{place}.{self._paths.content}", reading)
        return turns

    def _metadata(self, record: Object) -> dict[str, JSON]:
        """Return the fields that the settings name, then those at the top that hold no turns."""
        named = {name: _at(record, path) for name, path in self._paths.metadata.items()}
        turns = (self._paths.turns or self._paths.question or "").partition(".")[0]
        top = {name: value for name, value in record.items() if name not in (turns, "model_line")}
        return fields.metadata({name: value for name, value in named.items() if value is not None} | top)


def _at(record: JSON, path: str | None) -> JSON:
    """Return what stands at a path of keys and list positions; None if there is nothing. A key may contain dots."""
    if path is None:
        return None
    if isinstance(record, Mapping) and path in record:
        return record[path]
    key, _, rest = path.partition(".")
    if isinstance(record, dict):
        found = record.get(key)
    elif isinstance(record, list) and key.isdecimal() and int(key) < len(record):
        found = record[int(key)]
    else:
        return None
    return _at(found, rest) if rest else found


def _name(record: Object, path: str | None) -> str | None:
    return None if path is None else fields.optional_name({path: _at(record, path)}, path)


def _time(record: Object, path: str | None, reading: Reading) -> datetime:
    named = {path or "time": _at(record, path)}
    return fields.time(named, path or "time", reading.received_at, otherwise=reading.recorded_at)
