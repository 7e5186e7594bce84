"""Tokenises rendered text so that contents never become control tokens."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeVar, cast

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from learners.encoding.controls import control_tokens, generated_marks

_T = TypeVar("_T")

#: Code points that stand for the first character of a control token that people wrote. Unicode keeps these 32 out of
#: texts that are exchanged.
_STAND_INS = tuple(map(chr, range(0xFDD0, 0xFDF0)))


class Token(NamedTuple):
    id: int
    start: int  # in characters of the text
    end: int
    control: bool  # put there by the template, such as <|im_end|>


class Continuation(NamedTuple):
    tokens: list[Token]  # positions count from its beginning
    natural: bool  # both texts as one give these tokens too


class SafeTokenizer:
    """Tokenises as a server does, except that control tokens written in contents stay text.

    Contents are protected before they are rendered: in each control token the first character is exchanged for a
    stand-in, which the template treats as any other. Protected text is as long as the original.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._backend = _backend(tokenizer)
        controls = control_tokens(tokenizer)
        self._controls = controls.keys()
        names = sorted(set(controls.values()), key=lambda name: (-len(name), name))
        self._names = _any_of(names)
        marks = generated_marks(tokenizer)
        self._names_in_answers = _any_of([name for name in names if name not in marks])
        firsts = dict.fromkeys(name[0] for name in names)
        self._exchange = dict(zip(firsts, _STAND_INS, strict=False))
        self._restore = str.maketrans({stand_in: first for first, stand_in in self._exchange.items()})
        self._protected = re.compile(f"[{''.join(self._exchange.values())}]" if firsts else "(?!)")
        self._adds_prefix = bool(names) and self._prefixes(names[0])
        #: Most prompts end alike, such as with the mark of the assistant's turn.
        self._context_ids = lru_cache(maxsize=16)(self.ids)
        self._continuations = lru_cache(maxsize=16)(self._behind_one_of)

    def protect(self, content: _T) -> _T:
        """Return the content, or the JSON value with all texts in it, protected."""
        if isinstance(content, str):
            return cast(_T, self._exchanged(content, self._names))
        if isinstance(content, Mapping):
            return cast(_T, {self.protect(key): self.protect(value) for key, value in content.items()})
        if isinstance(content, Sequence):
            return cast(_T, [self.protect(value) for value in content])
        return content

    def protect_answer(self, content: str) -> str:
        """Return an answer protected, but for marks of reasoning and calls that the model has generated."""
        return self._exchanged(content, self._names_in_answers)

    def controls(self, text: str) -> list[tuple[int, int]]:
        """Return where the control tokens of a protected text begin and end."""
        return [found.span() for found in self._names.finditer(text)]

    def ids(self, text: str) -> list[int]:
        """Return the ids of the tokens of a protected text."""
        if self._protected.search(text):
            return [token.id for token in self.tokens(text)]
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of a protected text. Their positions are the same in the original."""
        tokens = self._pieces(text)
        if not self._protected.search(text):
            return tokens
        return list(self._restored(text, tokens))

    def continuation(self, before: str, after: str) -> Continuation:
        """Return the tokens of ``after`` as a model generates them: they never merge with what is before."""
        controls = self.controls(before)
        contexts = [before[controls[-1][0] :] if controls else before]
        if self._adds_prefix and controls:
            contexts.append(before[slice(*controls[-1])])
        return self._continuations(tuple(contexts), after)

    def _behind_one_of(self, contexts: Sequence[str], after: str) -> Continuation:
        for context in contexts:
            alone, both = self._context_ids(context), self.tokens(context + after)
            rest = both[len(alone) :]
            same = [token.id for token in both[: len(alone)]] == alone
            if same and all(token.start >= len(context) for token in rest):
                return Continuation(_moved(rest, -len(context)), context is contexts[0])
        return Continuation(self.tokens(after), False)

    def _exchanged(self, text: str, names: re.Pattern[str]) -> str:
        while names.search(text):
            text = names.sub(lambda found: self._stand_in(found[0]), text)
        return text

    def _stand_in(self, name: str) -> str:
        return self._exchange.get(name[0], _STAND_INS[-1]) + name[1:]

    def _prefixes(self, control: str) -> bool:
        """Whether a text alone is tokenised as if a space stood before it, as SentencePiece does."""
        return self.ids(f"{control}a")[1:] != self.ids("a")

    def _restored(self, text: str, tokens: Sequence[Token]) -> Iterator[Token]:
        """Tokenise again, as plain text, each stretch between control tokens that holds a stand-in."""
        position = 0
        stretch: list[Token] = []
        for token in [*tokens, Token(-1, len(text), len(text), True)]:
            if not token.control:
                stretch.append(token)
                continue
            part = text[position : token.start]
            if self._protected.search(part):
                yield from _moved(self._plain_pieces(part.translate(self._restore)), position)
            else:
                yield from stretch
            stretch = []
            position = token.end
            if token.id >= 0:
                yield token

    def _pieces(self, text: str) -> list[Token]:
        encoding = self._backend.encode(text, add_special_tokens=False)
        controls = self._controls
        return [
            Token(id_, start, end, id_ in controls)
            for id_, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
        ]

    def _plain_pieces(self, text: str) -> list[Token]:
        """Tokenise as if there were no control tokens."""
        encoding = self._plain.encode(text, add_special_tokens=False)
        return [
            Token(id_, start, end, False)
            for id_, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
        ]

    @cached_property
    def _plain(self) -> Tokenizer:
        """A tokenizer without control tokens. Few texts hold one, so it is made when the first does."""
        parts = json.loads(self._backend.to_str())
        for added in parts["added_tokens"]:
            added["special"] = added["special"] or added["id"] in self._controls
        plain: Tokenizer = Tokenizer.from_str(json.dumps(parts))
        plain.encode_special_tokens = True
        return plain


def _any_of(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, names)) or "(?!)")


def _backend(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """Return what tokenises without the checks of each call, set as those would set it."""
    backend: Tokenizer = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = False
    return backend


def _moved(tokens: Sequence[Token], by: int) -> list[Token]:
    return [Token(id_, start + by, end + by, control) for id_, start, end, control in tokens]
