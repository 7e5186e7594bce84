"""Renders conversations as a training would: ``python -m learners.encoding.sample_worker REQUEST.json``.

One JSON line on stdout (learners.encoding.sample). Loads the tokenizer alone, no weights.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from transformers import AutoConfig, PreTrainedTokenizerFast

from learners.children.json_lines import JsonLineWriter
from learners.encoding.chat import ChatEncoder
from learners.encoding.lessons import EncodedLesson, encode_lesson
from learners.encoding.rows import Encoded
from learners.encoding.sample import (
    ANSWER,
    REQUEST,
    RenderedConversation,
    RenderedSample,
    SampleRequest,
    TextPart,
)
from learners.errors import LearnerError
from learners.method_names import compares, learns_from
from learners.models.tokenizer import load_tokenizer
from learners.training.learnable import left_out_answers, skipped_lines
from learners.types import Failure

_NO_LIMIT = 2**20


def main(arguments: Sequence[str]) -> None:
    """Answer one request."""
    lines = JsonLineWriter()
    try:
        answer: RenderedSample | Failure = render(REQUEST.validate_json(Path(arguments[0]).read_bytes()))
    except LearnerError as error:
        answer = Failure(error=type(error).__name__, message=str(error), permanent=error.permanent)
    lines.write(ANSWER.dump_json(answer).decode())


def render(request: SampleRequest) -> RenderedSample:
    """Render the conversations. Raises UnusableModel."""
    tokenizer = load_tokenizer(request.base)
    encoder = ChatEncoder(tokenizer, request.rendering)
    most = _context(request.base) if request.max_tokens == "auto" else request.max_tokens
    learns, both = learns_from(request.method), compares(request.method)
    encoded = [
        encode_lesson(encoder, one, learns=learns, compares=both, max_tokens=most)
        for one in request.conversations
    ]
    skipped = {reason: len(numbers) for reason, numbers in skipped_lines(encoded).items()}
    imitated = [one for one in encoded if one.imitated]
    return RenderedSample(
        conversations=len(encoded),
        skipped=skipped,
        left_out_answers=left_out_answers(encoded),
        example=_rendered(imitated[-1], tokenizer) if imitated else None,
    )


def _context(base: Path) -> int:
    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    return getattr(config.get_text_config(), "max_position_embeddings", None) or _NO_LIMIT


def _rendered(line: EncodedLesson, tokenizer: PreTrainedTokenizerFast) -> RenderedConversation:
    return RenderedConversation(
        id=line.id, rows=tuple(tuple(_parts(row, tokenizer)) for row in line.imitated)
    )


def _parts(row: Encoded, tokenizer: PreTrainedTokenizerFast) -> Iterator[TextPart]:
    pairs = zip(row.ids, row.targets, strict=True)
    for learned, members in groupby(pairs, key=lambda pair: pair[1]):
        ids = [id_ for id_, _ in members]
        yield TextPart(text=str(tokenizer.decode(ids, skip_special_tokens=False)), learned=learned)


if __name__ == "__main__":
    main(sys.argv[1:])
