"""Reads users' opinions: thumbs, ratings, words and corrections, as the settings say. Never guesses."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from daemon.config.settings import FeedbackFieldsSection, FeedbackSection, LimitsSection
from daemon.domain.bad_record import BadRecord
from daemon.domain.conversation import HIGHEST_RATING, JSON, LOWEST_RATING, Feedback, Thumb
from daemon.domain.unusable_feedback import Unusable
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.reading import Reading

_UP = (
    "up", "like", "liked", "thumb up", "thumbs up", "thumbup", "thumbsup", "good", "great", "positive", "helpful", "yes",
    "true", "correct", "satisfied", "upvote", "+1", "👍", "❤", "😀", "😊", "赞", "点赞", "喜欢", "好", "好评", "满意", "有用",
    "有帮助", "是",
)  # fmt: skip
_DOWN = (
    "down", "dislike", "disliked", "thumb down", "thumbs down", "thumbdown", "thumbsdown", "bad", "poor", "negative",
    "unhelpful", "not helpful", "no", "false", "incorrect", "wrong", "unsatisfied", "dissatisfied", "downvote", "-1", "👎",
    "💔", "😞", "😠", "踩", "点踩", "不喜欢", "差", "差评", "不满意", "没用", "没有帮助", "否",
)  # fmt: skip
_THUMBS: Sequence[tuple[Thumb, Sequence[str]]] = (("up", _UP), ("down", _DOWN))
_WORDS: Mapping[str, Thumb] = {word: thumb for thumb, words in _THUMBS for word in words}
_LONGEST_WORD = 64
#: Skin tones and the mark that asks for a picture, which follow an emoji.
_MODIFIERS = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")
_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])")
_STARS = re.compile(r"([★⭐]{1,10})(☆{0,9})")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")
#: Fields whose numbers go from 1 to 5 where no scale is set.
_NATIVE_RATINGS = frozenset({"rating", "stars"})
_NATIVE_SCALE = (LOWEST_RATING, HIGHEST_RATING)
_NONE = Feedback()
#: What sources call those that are no people: Langfuse, MLflow, LangSmith.
_NOT_HUMAN = frozenset({"eval", "llm_judge", "code", "model", "ai_judge", "auto_eval"})


class _NotRead(Exception):
    """A value that means no opinion."""

    def __init__(self, kind: Unusable) -> None:
        super().__init__(kind)
        self.kind = kind


def read_feedback(value: JSON, reading: Reading) -> Feedback | None:
    """Read an object with fields that ``feedback.fields`` names, or a bare boolean, number or word. Raises nothing.

    What can't be read is added to ``reading.unusable_feedback``. None if nothing is left, or was given.
    """
    if value is None:
        return None
    settings, limits, unusable = reading.feedback, reading.limits, reading.unusable_feedback
    if isinstance(value, list):
        return _together(value, reading)
    if not isinstance(value, Mapping):
        return _given(_attempt(lambda: _opinion(value, settings.scale, settings), unusable))
    if len(value) == 1 and (plain := _plain_thumb(value, settings)) is not None:
        return plain
    if not _is_human(value.get("source", value.get("feedback_source"))):
        unusable[Unusable.NOT_HUMAN] += 1
        return None
    if not _is_asked_for(value.get("key", value.get("name")), settings):
        unusable[Unusable.OTHER_NAME] += 1
        return None
    names = settings.fields
    value = _as_fields(value, names)
    if value.keys().isdisjoint((*names.thumb, *names.rating, *names.correction)):
        unusable[Unusable.NO_OPINION] += 1
        return None
    highest = _first(value, _HIGHEST)[1]
    thumb = _attempt(lambda: _thumb(_first(value, names.thumb)[1], settings), unusable)
    rating = _attempt(lambda: _rating(*_first(value, names.rating), settings, highest), unusable)
    correction = _attempt(lambda: _correction(_first(value, names.correction)[1], limits), unusable)
    return _given(
        Feedback(thumb=thumb.thumb or rating.thumb, rating=rating.rating, correction=correction.correction)
    )


def _together(values: Sequence[JSON], reading: Reading) -> Feedback | None:
    """Read a list of opinions: of each kind the last counts, as people change their minds."""
    found = Feedback()
    for value in values[:_MOST_OPINIONS]:
        if isinstance(value, list):
            reading.unusable_feedback[Unusable.TYPE] += 1
            continue
        one = read_feedback(value, reading)
        if one is not None:
            found = Feedback(
                thumb=one.thumb or found.thumb,
                rating=found.rating if one.rating is None else one.rating,
                correction=one.correction or found.correction,
            )
    return _given(found)


_MOST_OPINIONS = 100
#: Fields that hold an object with the opinion, where no field says one itself.
_FRAMES = ("feedback", "user_feedback", "satisfaction_rating", "annotation")
#: Fields that are true where people pressed that button; false says only that they did not.
_BUTTONS: Mapping[str, Thumb] = {
    "thumbs_up": "up", "thumbsUp": "up", "thumb_up": "up", "upvoted": "up", "upvote": "up", "thumbs_down": "down",
    "thumbsDown": "down", "thumb_down": "down", "dislike": "down", "disliked": "down", "downvoted": "down",
    "downvote": "down",
}  # fmt: skip
#: What a type says of the value beside it, in lower case.
_THUMB_TYPES = frozenset({"thumb", "thumbs", "like", "vote", "binary", "boolean"})


def _as_fields(value: Object, names: FeedbackFieldsSection) -> Object:
    """Return feedback with the opinion in the fields that the settings name, from the other shapes that producers write."""
    known = (*names.thumb, *names.rating, *names.correction)
    pressed = {
        thumb for name, thumb in _BUTTONS.items() if name not in known and value.get(name) in (True, 1)
    }
    if len(pressed) == 1:
        return {**value, names.thumb[0]: pressed.pop()}
    kind = value.get("type")
    if isinstance(kind, str) and kind.casefold() in _THUMB_TYPES and value.keys().isdisjoint(names.thumb):
        given = next(
            (value[name] for name in ("value", "score", "rating") if value.get(name) is not None), None
        )
        return {names.thumb[0]: given, **{name: value[name] for name in names.correction if name in value}}
    if not value.keys().isdisjoint(known):
        return value
    frame = next((name for name in _FRAMES if value.get(name) is not None), None)
    if frame is not None:
        held = value[frame]
        return held if isinstance(held, Mapping) else {names.rating[0]: held}
    return value


#: The thumbs of native records: a shortcut, as most feedback is one of these.
_PLAIN_THUMBS: Mapping[JSON, Feedback] = {"up": Feedback(thumb="up"), "down": Feedback(thumb="down")}


def _plain_thumb(value: Object, settings: FeedbackSection) -> Feedback | None:
    thumb = value.get("thumb")
    is_usual = isinstance(thumb, str) and not settings.words and settings.fields.thumb[:1] == ("thumb",)
    return _PLAIN_THUMBS.get(thumb) if is_usual and settings.names is None else None


def read_score(name: JSON, value: JSON, reading: Reading, *, source: JSON = None) -> Feedback | None:
    """Read a score with a name, and with a source where the log tells who gave it, as :func:`read_feedback` does."""
    settings, unusable = reading.feedback, reading.unusable_feedback
    if not _is_human(source):
        unusable[Unusable.NOT_HUMAN] += 1
        return None
    if not _is_asked_for(name, settings):
        unusable[Unusable.OTHER_NAME] += 1
        return None
    return _given(_attempt(lambda: _opinion(value, settings.scale, settings), unusable))


def _attempt(read: Callable[[], Feedback], unusable: Counter[Unusable]) -> Feedback:
    try:
        return read()
    except _NotRead as problem:
        unusable[problem.kind] += 1
        return _NONE


def _given(feedback: Feedback) -> Feedback | None:
    return None if feedback == _NONE else feedback


def _opinion(value: JSON, scale: tuple[float, ...] | None, settings: FeedbackSection) -> Feedback:
    """Raises _NotRead."""
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return Feedback(thumb="up" if value else "down")
    if isinstance(value, int | float):
        return Feedback(rating=_on_native_scale(value, scale))
    if isinstance(value, str):
        return _said(value, scale, settings)
    raise _NotRead(Unusable.TYPE)


def _said(text: str, scale: tuple[float, ...] | None, settings: FeedbackSection) -> Feedback:
    said = _MODIFIERS.sub("", text.strip().rstrip("!.").casefold()) if len(text) <= _LONGEST_WORD else text
    if not said:
        return _NONE
    if scale is not None and (number := _number_in(said)) is not None:
        return Feedback(rating=_on_native_scale(number, scale))
    own = {word.casefold(): thumb for word, thumb in settings.words.items()}
    thumb = own.get(said) or _WORDS.get(_BETWEEN_WORDS.sub(" ", said))
    if thumb is not None:
        return Feedback(thumb=thumb)
    if (stars := _STARS.fullmatch(said)) is not None:
        of = (LOWEST_RATING, float(len(said))) if stars[2] else scale or _NATIVE_SCALE
        return Feedback(rating=_on_native_scale(len(stars[1]), of))
    raise _NotRead(Unusable.WORD if _number_in(said) is None else Unusable.SCALE)


def _number_in(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _thumb(value: JSON, settings: FeedbackSection) -> Feedback:
    number = _number_in(value.strip()) if isinstance(value, str) else value
    if isinstance(number, int | float) and not isinstance(number, bool):
        if number in (1, -1) or (number == 0 and settings.scale == (0, 1)):
            return Feedback(thumb="up" if number == 1 else "down")
        raise _NotRead(Unusable.SCALE)
    return _opinion(value, settings.scale, settings)


#: Fields in which producers say how high their ratings go.
_HIGHEST = ("scale", "max", "max_rating", "out_of", "maximum")


def _rating(name: str, value: JSON, settings: FeedbackSection, highest: JSON) -> Feedback:
    if settings.scale is None and highest not in (None, HIGHEST_RATING) and not isinstance(value, bool | str):
        raise _NotRead(Unusable.SCALE)
    scale = settings.scale or (_NATIVE_SCALE if name in _NATIVE_RATINGS else None)
    return _opinion(value, scale, settings)


def _correction(value: JSON, limits: LimitsSection) -> Feedback:
    if value is None or (isinstance(value, str) and not value.strip()):
        return _NONE
    try:
        return Feedback(correction=fields.text(value, "", limits))
    except BadRecord:
        raise _NotRead(Unusable.TYPE) from None


def _on_native_scale(value: float, scale: tuple[float, ...] | None) -> float:
    if scale is None:
        raise _NotRead(Unusable.SCALE)
    worst, best = scale
    share = (value - worst) / (best - worst)
    if not 0 <= share <= 1:
        raise _NotRead(Unusable.SCALE)
    return LOWEST_RATING + share * (HIGHEST_RATING - LOWEST_RATING)


def _first(value: Object, names: tuple[str, ...]) -> tuple[str, JSON]:
    return next(((name, value[name]) for name in names if value.get(name) is not None), ("", None))


def _is_human(source: JSON) -> bool:
    if isinstance(source, Mapping):
        source = source.get("source_type", source.get("type"))
    return not (isinstance(source, str) and source.casefold() in _NOT_HUMAN)


def _is_asked_for(name: JSON, settings: FeedbackSection) -> bool:
    return settings.names is None or not isinstance(name, str) or name in settings.names
