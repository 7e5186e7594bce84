"""Encodes conversations as rows of token ids, with a mask of the targets: what the assistant generated."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from learners.encoding.answers import Answer, AnswerRenderer
from learners.encoding.history import exchanges_to_drop, shortened
from learners.encoding.least import least
from learners.encoding.rows import Encoded, OpenRow
from learners.encoding.template import TemplateLacksTools, TemplateRefused
from learners.encoding.tokens import Continuation, SafeTokenizer
from learners.errors import BadRequest
from learners.types import Conversation, Message, Rendering

#: Most rows of one conversation. With templates that need a row for each answer they cost quadratic time.
MOST_ROWS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedConversation:
    """A conversation as rows, in the order of its answers. No answer is in two of them."""

    id: str
    rows: tuple[Encoded, ...]
    #: Reason -> answers that may be learned but are in no row. Reasons are a few fixed texts.
    left_out: Mapping[str, int]

    @property
    def skipped(self) -> str | None:
        """Why there is nothing to learn; None if there is something."""
        if self.rows:
            return None
        return max(self.left_out, key=lambda reason: self.left_out[reason], default="no assistant turn")


class ChatEncoder:
    """Encodes with the model's own chat template, exactly as a server renders it.

    For each answer the row holds the server's prompt, then what the model generated. An answer shares the row of the
    one before it where its prompt continues that row. Contents are never control tokens: text such as ``<|im_end|>``
    within a message is split like any other. Raises UnusableModel, see traits.examine.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, rendering: Rendering | None = None) -> None:
        self._safe = SafeTokenizer(tokenizer)
        self._renderer = AnswerRenderer(tokenizer, self._safe, rendering or Rendering())
        traits = self._renderer.traits
        ends = (end for end in (traits.answer_end, traits.call_end) if end is not None)
        #: The tokens that end an assistant's turn.
        self.ends = tuple(dict.fromkeys(self._safe.tokens(end.text)[-1].id for end in ends))

    def encode(self, conversation: Conversation, *, max_tokens: int) -> EncodedConversation:
        """Return rows of at most ``max_tokens``, with all answers that may be learned; of a pair, with the better one.

        Where a prompt is too long, exchanges in the middle of its history are left out, see history.shortened.
        """
        return self._encoded(conversation, max_tokens=max_tokens, dropped=0).conversation

    def encode_pair(
        self, conversation: Conversation, *, max_tokens: int
    ) -> tuple[EncodedConversation, EncodedConversation]:
        """Return the better and the worse answer of a pair, each behind the same prompt."""
        worse = _worse(conversation)
        found = [self._encoded(each, max_tokens=max_tokens, dropped=0) for each in (conversation, worse)]
        most = max(each.dropped for each in found)
        first, second = (
            each if each.dropped == most else self._encoded(answer, max_tokens=max_tokens, dropped=most)
            for each, answer in zip(found, (conversation, worse), strict=True)
        )
        return first.conversation, second.conversation

    def _encoded(self, conversation: Conversation, *, max_tokens: int, dropped: int) -> "_Found":
        """Encode with at least ``dropped`` exchanges left out."""
        messages = conversation.messages
        building = _Rows(
            self._renderer, self._safe, self._renderer.protected(conversation), max_tokens, dropped
        )
        answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
        learned = [index for index in answers if _may_be_learned(conversation, index)]
        for index in learned:
            building.add(index)
        if answers and not learned:
            nothing = EncodedConversation(
                id=conversation.id, rows=(), left_out={"no answer that may be learned": len(answers)}
            )
            return _Found(nothing, 0)
        return _Found(building.finished(), building.dropped)

    def prompt(self, conversation: Conversation) -> list[int]:
        """Return the ids of the conversation, followed by the generation prompt.

        Raises BadRequest if the template refuses it.
        """
        conversation = self._renderer.protected(conversation)
        try:
            text = self._renderer.prompt(conversation, conversation.messages)
        except TemplateRefused as error:
            raise BadRequest(str(error)) from error
        return self._safe.ids(text)


def _may_be_learned(conversation: Conversation, index: int) -> bool:
    """Whether the answer is the lesson's, the producer lets it be learned, and a question came before it.

    Without a question no prompt asked for it.
    """
    messages = conversation.messages
    is_lesson = conversation.lesson == "imitate" or index == len(messages) - 1
    asked = any(message.role == "user" for message in messages[:index])
    return is_lesson and messages[index].learned and asked


def _worse(pair: Conversation) -> Conversation:
    """Return the conversation with the worse answer of a pair in place of the better one."""
    if pair.rejected is None:
        raise BadRequest(f"{pair.id} is no pair: it has no worse answer")
    return replace(pair, messages=(*pair.messages[:-1], pair.rejected), lesson="avoid", rejected=None)


class _Found(NamedTuple):
    """An encoded conversation, and how many exchanges its last row leaves out."""

    conversation: EncodedConversation
    dropped: int


class _Beginning(NamedTuple):
    """A row that begins with an answer."""

    prompt: str
    ids: list[int]  # of the prompt
    answer: Continuation

    @property
    def tokens(self) -> int:
        return len(self.ids) + len(self.answer.tokens)


class _Rows:
    """The rows of one conversation, while they are made."""

    def __init__(
        self,
        renderer: AnswerRenderer,
        safe: SafeTokenizer,
        conversation: Conversation,
        max_tokens: int,
        fewest: int,
    ) -> None:
        """At least the ``fewest`` exchanges are left out."""
        self._renderer = renderer
        self._safe = safe
        self._conversation = conversation
        self._max_tokens = max_tokens
        self._fewest = fewest
        self._rows: list[OpenRow] = []
        self._dropped = fewest  # exchanges that the last row leaves out
        self._shares = False  # whether the newest prompt continues the last row
        self._prompts: dict[int, str] = {}  # of the newest answer, by exchanges left out
        self._beginnings: dict[int, _Beginning] = {}  # likewise
        self._left_out: Counter[str] = Counter()

    def add(self, index: int) -> None:
        """Add the answer that this message is, or count why not."""
        before = self._conversation.messages[:index]
        self._prompts = {}
        self._beginnings = {}
        self._shares = False
        try:
            if not self._renderer.traits.tool_results and any(turn.role == "tool" for turn in before):
                raise TemplateLacksTools("the chat template leaves out what the answer is based on")
            # It looks the same after a part of its history, which is all that the last row had room for.
            shown = shortened(before, self._dropped)
            prompt = self._prompt(before, self._dropped)
            answer = self._renderer.answer(
                self._conversation, shown, self._conversation.messages[index], prompt=prompt
            )
            added = self._continued(before, answer) or self._begun(before, answer)
        except TemplateRefused as error:
            self._left_out[self._reason(error, index)] += 1
            return
        if not added:
            self._left_out["longer than max_tokens"] += 1

    @property
    def dropped(self) -> int:
        """Exchanges that the last row leaves out."""
        return self._dropped

    def finished(self) -> EncodedConversation:
        kept = self._rows[-MOST_ROWS:]
        if dropped := sum(row.answers for row in self._rows[:-MOST_ROWS]):
            self._left_out["too many rows for one conversation"] += dropped
        id_ = self._conversation.id
        rows = [row.encoded(id_) for row in kept]
        for row in rows:
            if not row.target_tokens:
                self._left_out["nothing but placeholders"] += 1
        return EncodedConversation(
            id=id_,
            rows=tuple(row for row in rows if row.target_tokens),
            left_out=dict(sorted(self._left_out.items())),
        )

    def _reason(self, error: TemplateRefused, index: int) -> str:
        messages = self._conversation.messages[: index + 1]
        if self._renderer.traits.call_end is None and any(m.tool_calls or m.role == "tool" for m in messages):
            return TemplateLacksTools.reason
        return error.reason

    def _continued(self, before: Sequence[Message], answer: Answer) -> bool:
        """Add the answer to the last row, if its prompt continues it and there is room."""
        if not self._rows:
            return False
        row = self._rows[-1]
        prompt = self._prompt(before, self._dropped)
        added = row.after(prompt)
        self._shares = added is not None
        if added is None:
            return False
        tokens = self._safe.continuation(prompt, answer.text)
        if len(row) + len(added) + len(tokens.tokens) > self._max_tokens:
            return False
        row.add(prompt, added, answer, tokens)
        return True

    def _begun(self, before: Sequence[Message], answer: Answer) -> bool:
        """Begin a row with the answer, unless it is too long without any history.

        Where history must go, half of the row is left to the answers that follow, if they could share it.
        """
        found = self._longest(before, answer, self._max_tokens)
        if found is None:
            return False
        if found and self._shares:
            roomy = self._longest(before, answer, self._max_tokens // 2)
            found = found if roomy is None else roomy
        begins = self._beginning(before, found, answer)
        row = OpenRow(self._safe)
        row.add(begins.prompt, begins.ids, answer, begins.answer)
        self._rows.append(row)
        self._dropped = found
        return True

    def _longest(self, before: Sequence[Message], answer: Answer, max_tokens: int) -> int | None:
        """Return how few exchanges must go for prompt and answer to fit; None if they never do.

        Most answers need nearly as many to go as the one before, so hardly more is tokenised than fits, however long
        the conversation is.
        """
        most = exchanges_to_drop(before)
        return least(
            lambda dropped: (
                dropped >= self._fewest and self._beginning(before, dropped, answer).tokens <= max_tokens
            ),
            guess=min(self._dropped, most),
            most=most,
        )

    def _beginning(self, before: Sequence[Message], dropped: int, answer: Answer) -> _Beginning:
        if dropped not in self._beginnings:
            prompt = self._prompt(before, dropped)
            self._beginnings[dropped] = _Beginning(
                prompt, self._safe.ids(prompt), self._safe.continuation(prompt, answer.text)
            )
        return self._beginnings[dropped]

    def _prompt(self, before: Sequence[Message], dropped: int) -> str:
        if dropped not in self._prompts:
            self._prompts[dropped] = self._renderer.prompt(self._conversation, shortened(before, dropped))
        return self._prompts[dropped]
