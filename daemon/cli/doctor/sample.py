"""Renders a sample of the ledger with the model's chat template, as a training would."""

from collections.abc import Mapping, Sequence

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.domain.left_out import left_out_words
from daemon.domain.lessons import LessonKind, answer_indexes
from daemon.domain.records import StoredConversation
from daemon.ledger.database import sqlite_file
from daemon.ledger.stores import ledger_url, open_stores
from daemon.training.from_settings import lora_settings
from daemon.training.lines import Line, lines_that_imitate
from learners.codec import conversation_from_line
from learners.encoding.sample import RenderedConversation, RenderedSample, SampleRequest, render_sample
from learners.errors import LearnerError, UnusableModel
from learners.models.base import resolve_base
from learners.types import Failure

_SUBJECT = "training sample"
_SIZE = 50
_TIMEOUT_S = 120.0
#: Around what is learned.
_BEGIN, _END = "⟦", "⟧"


def check_sample(settings: Settings) -> Check:
    """Render the newest trainable conversations; fails where a run would end with an error."""
    try:
        base = resolve_base(settings.model.base)
    except UnusableModel:
        return passed(_SUBJECT, "there is no model to render conversations with; see the check of the model")
    newest = _newest(settings)
    if not newest:
        return passed(_SUBJECT, "the ledger has no conversation to render yet")
    learning = lora_settings(settings)
    request = SampleRequest(
        base=base,
        conversations=tuple(conversation_from_line(line.encoded().decode()) for line in _all_answers(newest)),
        max_tokens=learning.max_tokens,
        rendering=learning.rendering,
        method=settings.learning.method,
    )
    try:
        found = render_sample(request, timeout_s=_TIMEOUT_S)
    except LearnerError as error:
        return failed(_SUBJECT, str(error), "repair what the message names")
    if isinstance(found, Failure):
        return failed(_SUBJECT, found.message, "set model.base to a chat model whose template works")
    return _judged(found, settings.learning.max_skipped)


def _all_answers(newest: Sequence[StoredConversation]) -> list[Line]:
    """Return lines that imitate all answers, whatever is known of them: each has to be rendered."""
    rows = {one.seq: one for one in newest}
    targets = {one.seq: answer_indexes(one.messages) for one in newest}
    return lines_that_imitate(rows, targets, origin="new", kind=LessonKind.DEMONSTRATION)


def _newest(settings: Settings) -> list[StoredConversation]:
    file = sqlite_file(ledger_url(settings))
    if file is not None and not file.exists():
        return []
    stores = open_stores(settings, may_create_key=False)
    try:
        newest = stores.conversations.newest(_SIZE, held_out=False)
        return list(stores.conversations.with_histories(newest))
    finally:
        stores.engine.dispose()


def _judged(found: RenderedSample, max_skipped: float) -> Check:
    skipped = sum(found.skipped.values())
    text = f"of the newest {found.conversations} conversations, {_words(skipped, found.skipped)}"
    if found.left_out_answers:
        text += f"; of the others' answers, {left_out_words(found.left_out_answers)}"
    example = "" if found.example is None else _marked(found.example)
    if skipped == found.conversations or skipped > max_skipped * found.conversations:
        return failed(
            _SUBJECT,
            f"{text}: a training would fail",
            "use a model whose chat template takes such conversations, raise learning.max_tokens where they are too "
            "long, or raise learning.max_skipped",
            example=example,
        )
    return passed(_SUBJECT, text, example=example)


def _words(count: int, reasons: Mapping[str, int]) -> str:
    if not count:
        return "none would be skipped"
    return f"{count} would be skipped ({left_out_words(reasons)})"


def _marked(conversation: RenderedConversation) -> str:
    """Return the rows' text; what is learned stands between marks."""
    rows = (
        "".join(f"{_BEGIN}{part.text}{_END}" if part.learned else part.text for part in row)
        for row in conversation.rows
    )
    return "\n".join(rows)
