"""Candidates for the gate's benchmark: one trained well, others sabotaged, and what each scores and writes.

The live version has learned how assistants of two domains talk. Each candidate goes on from it with a third domain and
replay, as a run of the daemon would; conversations are the first two exchanges of SGD.
"""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from learners.encoding.chat import ChatEncoder
from learners.models.adapters import Adapters
from learners.models.base import base_digest
from learners.models.loading import choose_device, choose_dtype, load_base, prepare_torch
from learners.models.tokenizer import load_tokenizer
from learners.scoring.generating import answers
from learners.scoring.scoring import score
from learners.training.methods import METHODS
from learners.types import Answer, Conversation, LoraSettings, Message, Score, TrainRequest
from tests.support.devices import DEVICE

Kind: TypeAlias = Literal[
    "trained well", "disliked answers", "shuffled replies", "broken end of turn", "10x rate"
]
GOOD: Kind = "trained well"
SABOTAGED: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != GOOD)
OLD_DOMAINS, NEW_DOMAIN = ("restaurants", "hotels"), "media"
#: Conversations that the live version learned, that candidates learn, that they replay, and held-out ones of each slice.
BEFORE, NEW, REPLAY, HELD_OUT = 80, 30, 15, 80
PROMPTS, ANSWER_TOKENS = 40, 48
_MESSAGES = 4
_SETTINGS = LoraSettings(rank=8, alpha=16.0, learning_rate=5e-4, tokens_per_step=512, max_tokens=512)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one version makes of held-out conversations."""

    scores: Mapping[str, Score]
    margins: Mapping[str, float]  # of an answer's own prompt over another's, nats per token
    answers: Mapping[str, Answer]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Held-out conversations, those of the new domain and those of the old ones."""

    new: Sequence[Conversation]
    old: Sequence[Conversation]


class Workshop:
    """Trains versions in a folder and asks them."""

    def __init__(self, base: Path, conversations: Mapping[str, list[Conversation]], folder: Path) -> None:
        """``conversations``: those of each domain, in random order."""
        self._base = base
        self._digest = base_digest(base)
        self._folder = folder
        old = [
            one for pair in zip(*(conversations[name] for name in OLD_DOMAINS), strict=False) for one in pair
        ]
        new = conversations[NEW_DOMAIN]
        self._before, self._replay = old[:BEFORE], old[:REPLAY]
        self._new = new[:NEW]
        self.held_out = HeldOut(new=new[NEW : NEW + HELD_OUT], old=old[BEFORE : BEFORE + HELD_OUT])

    def train_live(self) -> Path:
        return self._train("live", self._before, None, _SETTINGS)

    def train(self, kind: Kind, live: Path, written: Mapping[str, Answer]) -> Path:
        """Train a candidate. ``written``: the live version's answers to the prompts of what is new."""
        make: dict[Kind, Callable[[], list[Conversation]]] = {
            "disliked answers": lambda: disliked(self._new, written),
            "shuffled replies": lambda: shuffled(self._new),
            "broken end of turn": lambda: list(map(running_on, self._new)),
        }
        new = make[kind]() if kind in make else list(self._new)
        rate = _SETTINGS.learning_rate * (10 if kind == "10x rate" else 1)
        return self._train(kind, [*new, *self._replay], live, replace(_SETTINGS, learning_rate=rate))

    def ask(self, versions: Mapping[str, Path]) -> dict[str, Seen]:
        """Score all held-out conversations and answer the prompts of the new ones, with each version."""
        prompts = [*self.held_out.new[:PROMPTS]]
        return self._ask(versions, [self.held_out.new, self.held_out.old], list(map(prompt_of, prompts)))

    def write(self, live: Path) -> dict[str, Answer]:
        """Answer the prompts of what candidates learn anew, with the live version."""
        return dict(self._ask({"live": live}, [], list(map(prompt_of, self._new)))["live"].answers)

    def _ask(
        self,
        versions: Mapping[str, Path],
        slices: Sequence[Sequence[Conversation]],
        prompts: list[Conversation],
    ) -> dict[str, Seen]:
        held_out = [one for members in slices for one in members]
        own = [after_prompt_of(one, one) for one in held_out]
        others = [
            after_prompt_of(other, one)
            for members in slices
            for one, other in zip(members, [*members[1:], *members[:1]], strict=True)
        ]
        prepare_torch(0)
        device = choose_device(DEVICE)
        tokenizer = load_tokenizer(self._base)
        encoder = ChatEncoder(tokenizer)
        adapters = Adapters(load_base(self._base, choose_dtype("auto", device), device))
        found = {}
        for name, folder in versions.items():
            adapters.load(name, folder)
            with adapters.using(name) as model:
                scores, fitting, elsewhere = (
                    score(model, encoder, texts, max_tokens=512, on_progress=_ignore)
                    for texts in (held_out, own, others)
                )
                written = answers(
                    model, tokenizer, encoder, prompts, max_new_tokens=ANSWER_TOKENS, seconds=None, on_progress=_ignore
                )  # fmt: skip
            found[name] = Seen(
                scores={one.id: one for one in scores},
                margins={
                    one.id: other.loss - one.loss for one, other in zip(fitting, elsewhere, strict=True)
                },
                answers={one.id: one for one in written},
            )
        return found

    def _train(
        self, name: str, conversations: Sequence[Conversation], parent: Path | None, settings: LoraSettings
    ) -> Path:
        data = self._folder / f"{name}.jsonl"
        data.write_text("".join(f"{json.dumps(_line(one))}\n" for one in conversations))
        output = self._folder / name
        request = TrainRequest(
            run=name, base=self._base, base_digest=self._digest, parent=parent, data=data,
            data_digest=hashlib.sha256(data.read_bytes()).hexdigest(), output=output, settings=settings, device=DEVICE,
        )  # fmt: skip
        return METHODS["lora"](request, _ignore, lambda: False).artifact


def read_sgd(file: Path, seed: int = 18) -> dict[str, list[Conversation]]:
    """Return the beginnings of the conversations of each domain, in random order."""
    import gzip

    found: dict[str, list[Conversation]] = {}
    with gzip.open(file, "rt") as lines:
        for line in lines:
            document = json.loads(line)
            messages = tuple(
                Message(role=one["role"], content=one["content"]) for one in document["messages"][:_MESSAGES]
            )
            if len(messages) == _MESSAGES:
                found.setdefault(document["domain"], []).append(
                    Conversation(id=document["id"], messages=messages)
                )
    for conversations in found.values():
        random.Random(seed).shuffle(conversations)
    return found


def prompt_of(conversation: Conversation) -> Conversation:
    """Return a conversation without its last answer."""
    return replace(conversation, messages=conversation.messages[:-1])


def after_prompt_of(other: Conversation, conversation: Conversation) -> Conversation:
    """Return the last answer of a conversation after the last prompt of another one, as the only target."""
    prompt = (replace(message, learned=False) for message in other.messages[:-1])
    return replace(conversation, messages=(*prompt, conversation.messages[-1]))


def disliked(conversations: Sequence[Conversation], written: Mapping[str, Answer]) -> list[Conversation]:
    """Return the conversations with the model's own last answers, as if nobody had said that they are wrong."""
    own = [(one, written[one.id].text) for one in conversations if one.id in written and written[one.id].text]
    return [
        replace(
            one,
            messages=(
                *(replace(message, learned=False) for message in one.messages[:-1]),
                Message(role="assistant", content=text),
            ),
        )
        for one, text in own
    ]


def shuffled(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Return the conversations with answers of others."""
    spoken = [message for one in conversations for message in one.messages if message.role == "assistant"]
    random.Random(0).shuffle(spoken)
    others = iter(spoken)
    return [
        replace(
            one,
            messages=tuple(
                next(others) if message.role == "assistant" else message for message in one.messages
            ),
        )
        for one in conversations
    ]


def running_on(conversation: Conversation) -> Conversation:
    """Return the conversation as one answer that runs on into all later turns, as where a template's marks were lost."""
    first, *others = conversation.messages
    text = "\n".join(f"{message.role}: {message.content}" for message in others)
    return replace(conversation, messages=(first, Message(role="assistant", content=text)))


def _line(conversation: Conversation) -> dict[str, object]:
    messages = [
        {"role": one.role, "content": one.content} | ({} if one.learned else {"learned": False})
        for one in conversation.messages
    ]
    return {"id": conversation.id, "messages": messages, "origin": "new"}


def _ignore(*_: object) -> None:
    """Take a report of progress."""
