"""Tokenises rendered text so that contents never become control tokens."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from learners.encoding.template import Span


class Token(NamedTuple):
    id: int
    start: int  # in characters of the rendered text
    end: int
    control: bool  # put there by the template, such as <|im_end|>


class SafeTokenizer:
    """Tokenises as a server does, except that control tokens written in contents stay text."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._special = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}

    def tokens(self, text: str, spans: Sequence[Span]) -> list[Token]:
        """Return the tokens of the text. Control tokens within contents are tokenised again as plain text."""
        inside = _Inside(spans)
        tokens = [
            Token(token.id, token.start, token.end, token.id in self._special)
            for token in self._pieces(text, 0, plain=False)
        ]
        if not any(token.control and inside(token.start) for token in tokens):
            return tokens
        safe: list[Token] = []
        position = 0
        for token in tokens:
            if token.control and not inside(token.start):
                safe += [*self._pieces(text[position : token.start], position, plain=True), token]
                position = token.end
        return safe + self._pieces(text[position:], position, plain=True)

    def _pieces(self, text: str, offset: int, *, plain: bool) -> list[Token]:
        encoding = self._tokenizer(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=plain,
            verbose=False,
        )
        return [
            Token(id_, start + offset, end + offset, False)
            for id_, (start, end) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
        ]


class _Inside:
    """Tells whether a position lies in one of the spans. Positions must be asked in rising order."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts = [span.start for span in spans]
        self._ends = [span.end for span in spans]

    def __call__(self, position: int) -> bool:
        index = bisect_right(self._starts, position) - 1
        return index >= 0 and position < self._ends[index]
