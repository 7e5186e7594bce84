"""Reads what is said in a turn: a text, or a list of parts as the chat APIs have them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import JSON
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.reading import Reading

#: What part types that hold no text become. A type not listed becomes [attachment].
_PLACEHOLDERS: Mapping[str, str] = {
    "image": "[image]", "image_url": "[image]", "input_image": "[image]", "output_image": "[image]",
    "image_file": "[image]", "audio": "[audio]", "input_audio": "[audio]", "output_audio": "[audio]",
    "audio_url": "[audio]", "video": "[video]", "video_url": "[video]", "input_video": "[video]", "file": "[file]",
    "input_file": "[file]", "document": "[file]", "container_upload": "[file]", "file_url": "[file]",
}  # fmt: skip
_OTHER = "[attachment]"
_REASONING_TYPES = frozenset({"thinking", "reasoning"})
#: Parts that say nothing that a model reads or writes as text.
_SILENT_TYPES = frozenset({"redacted_thinking", "compaction", "step-start", "source"})
#: Where a text part has its text, by API.
_TEXT_FIELDS = ("text", "content", "refusal", "transcript", "value")


@dataclass(slots=True)
class Content:
    """What the parts of one turn say."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    has_media: bool = False

    def text(self, separator: str = "\n") -> str:
        """Join the texts that are not blank."""
        return separator.join([text for text in self.texts if not is_blank(text)])

    @property
    def reasoning(self) -> str | None:
        """The reasoning, if there is any."""
        return "\n".join(thought for thought in self.thoughts if thought.strip()) or None


def read_content(value: JSON, at: str, reading: Reading) -> Content:
    """Read a turn's content; null is empty. Raises BadRecord, NoConversation."""
    content = Content()
    if isinstance(value, str):
        content.texts.append(value)
    elif isinstance(value, dict):
        _add_part(content, value, at, reading)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _add_part(content, part, f"{at}[{index}]", reading)
    elif value is not None:
        raise BadRecord(
            Reason.BAD_FIELD, at, f"must be a string or a list of parts, not {fields.kind(value)}"
        )
    return content


#: Characters that show nothing and are no white space, such as the zero-width space.
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing."""
    if not text or text.isspace():
        return True
    return text[0] in _INVISIBLE and all(letter in _INVISIBLE or letter.isspace() for letter in text)


def checked_text(text: str, at: str, reading: Reading) -> str:
    """Return a text that fits into the limits; one that is blank is empty. Raises BadRecord."""
    return "" if is_blank(text) else fields.text(text, at, reading.limits)


def _add_part(content: Content, part: JSON, at: str, reading: Reading) -> None:
    if isinstance(part, str):
        content.texts.append(part)
        return
    if part is None:
        return
    if not isinstance(part, dict):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be an object or a string, not {fields.kind(part)}")
    kind = part.get("type") or _kind_of(part)
    if not isinstance(kind, str):
        raise BadRecord(Reason.BAD_FIELD, f"{at}.type", f"must be a string, not {fields.kind(kind)}")
    if kind in _SILENT_TYPES:
        return
    if kind in _REASONING_TYPES:
        content.thoughts.append(thought(part, at, reading))
    elif (text := _text_of(part, kind)) is not None:
        content.texts.append(text)
    elif kind in _TEXT_TYPES:
        if part.get("text") is not None or "text" not in part:
            raise BadRecord(Reason.BAD_FIELD, f"{at}.text", "must be a string")
    else:
        _add_media(content, _placeholder(part, kind), at, reading)


_TEXT_TYPES = frozenset({"text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text"})


def _kind_of(part: Object) -> str:
    """Return the type of a part that names none: the field that it has tells."""
    return next((name for name in part if name in _PLACEHOLDERS), "text")


def _text_of(part: Object, kind: str) -> str | None:
    if kind in _TEXT_TYPES:
        value = part.get("text")
        if isinstance(value, dict):  # of the Assistants API: a text with its annotations
            part = value
        return next((found for name in _TEXT_FIELDS if isinstance(found := part.get(name), str)), None)
    if kind == "document":  # of Anthropic's: its source may be text
        source = part.get("source")
        if isinstance(source, dict) and source.get("type") == "text" and isinstance(source.get("data"), str):
            return str(source["data"])
    return None


def _placeholder(part: Object, kind: str) -> str:
    modality = part.get("modality")  # of OpenTelemetry's blobs and files
    if isinstance(modality, str) and f"[{modality}]" in _PLACEHOLDERS.values():
        return f"[{modality}]"
    return _PLACEHOLDERS.get(kind, _OTHER)


def _add_media(content: Content, placeholder: str, at: str, reading: Reading) -> None:
    if reading.intake.media == "drop":
        raise NoConversation(Absence.NO_TEXT, at, "is no text, and intake.media is drop")
    content.texts.append(placeholder)
    content.has_media = True


def thought(part: Object, at: str, reading: Reading) -> str:
    """Return the reasoning of a part: Anthropic's, Mistral's or OpenTelemetry's. Raises BadRecord."""
    for name in ("thinking", "content", "text", "reasoning"):
        value = part.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return read_content(value, f"{at}.{name}", reading).text()
    return ""
