"""Requests, progress and results of learners: plain values, exchanged as JSON. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, with_config

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
MaxTokens: TypeAlias = int | Literal["auto"]
Dtype: TypeAlias = Literal["auto", "float32", "bfloat16"]
#: What a line of a training set teaches, see ``Conversation.lesson``.
Teaching: TypeAlias = Literal["imitate", "prefer", "avoid"]
NotEmpty: TypeAlias = Annotated[str, Field(min_length=1)]
#: Share of a training set that may be skipped, by default.
MAX_SKIPPED = 0.9
#: How strongly DPO and KTO hold a model to the one that the run starts from, by default.
BETA = 0.1
#: Share of the supervised loss in DPO, by default.
SUPERVISED_WEIGHT = 1.0
#: Fields that a type does not have are refused when it is read from JSON.
_CLOSED = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call of a tool, as the assistant wrote it."""

    name: NotEmpty
    arguments: str  # JSON text of an object
    id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation. Its content is empty only beside tool calls or reasoning, or as a tool's result."""

    role: Role
    content: str
    reasoning: str | None = None  # of the assistant, without the marks that templates put around it
    tool_calls: tuple[ToolCall, ...] = ()  # of the assistant
    tool_call_id: str | None = None  # of a tool: the call that it answers
    name: str | None = None  # of a tool, or of one among several speakers
    learned: bool = True  # whether an assistant's turn may be a target
    cut_off: bool = False  # the answer ended before it was complete: its end is no target

    def __post_init__(self) -> None:
        """Raises ValueError for a turn that says nothing."""
        if not (self.content or self.tool_calls or self.reasoning or self.role == "tool"):
            raise ValueError("content is empty")


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """A conversation to learn from or to score: its messages in order, and what its request gave the template.

    ``lesson`` says what its answers teach. "imitate": those that may be learned are targets. "prefer": its last message is
    the better answer to the prompt before it, and ``rejected`` the worse one. "avoid": its last message is an answer that
    is never imitated. Of the latter two no other answer is a target.
    """

    id: NotEmpty
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()  # as OpenAI's function definitions
    documents: tuple[Mapping[str, Any], ...] = ()
    lesson: Teaching = "imitate"
    rejected: Message | None = None
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0  # of each of its targets in the loss

    def __post_init__(self) -> None:
        """Raises ValueError for a pair without its worse answer, and for a worse answer without a pair."""
        if (self.lesson == "prefer") != (self.rejected is not None):
            raise ValueError("rejected is the worse answer of a pair: it belongs to the lesson prefer")


@with_config(_CLOSED)
@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """How conversations become rows of tokens. Training and scoring must use the same."""

    #: Of an answer whose reasoning is known: learned, shown but not learned, or left out.
    reasoning: Literal["include", "mask", "strip"] = "include"
    #: Whether a system prompt that the template refuses becomes a part of the user's first turn.
    fold_system: bool = True
    placeholders: tuple[str, ...] = ()  # texts that stand for personal data; never targets


@with_config(_CLOSED)
@dataclass(frozen=True, kw_only=True, slots=True)
class LoraSettings:
    """How a LoRA update is trained (Hu et al. 2021, arXiv:2106.09685)."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    #: Names of the linear layers to adapt; "all-linear" is every one but the head.
    target_modules: str | tuple[str, ...] = "all-linear"
    epochs: float = 2.0
    learning_rate: float = 2e-4  # peak, after the warm-up; decayed to 0
    warmup_share: float = 0.1  # of all steps
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    tokens_per_step: int = 1024  # tokens of one optimiser step, in packed rows of at most 512
    #: Of a prompt with its answers; longer prompts lose exchanges. "auto": see learners.models.room.
    max_tokens: MaxTokens = 1024
    dtype: Dtype = "auto"  # of the frozen base
    checkpoint_every_s: float = 120.0
    #: Left out of requests and artifacts where it is as it was before it could be chosen.
    rendering: Annotated[Rendering, Field(exclude_if=lambda rendering: rendering == Rendering())] = (
        Rendering()
    )
    #: Of DPO and KTO: how strongly they hold a model to the one that the run starts from. Smaller: moves further away.
    beta: Annotated[float, Field(exclude_if=lambda beta: beta == BETA)] = BETA
    #: Of DPO: the share of the supervised loss of what is imitated; 0: none.
    supervised_weight: Annotated[float, Field(exclude_if=lambda weight: weight == SUPERVISED_WEIGHT)] = (
        SUPERVISED_WEIGHT
    )


@with_config(_CLOSED)
@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """Everything that one run depends on. The same request gives the same artifact."""

    run: str
    base: Path  # a folder in Hugging Face layout
    base_digest: str
    parent: Path | None  # adapter folder to go on from; None: from the base
    data: Path  # JSON lines, each a Conversation
    data_digest: str  # sha256 of that file
    output: Path  # the artifact folder; must not exist before, is complete or absent after
    method: str = "lora"
    settings: LoraSettings = field(default_factory=LoraSettings)
    seed: int = 0
    device: str = "auto"
    threads: int = 0  # 0: as torch decides
    #: Largest share of the data's lines that may be skipped; the run fails where more are.
    max_skipped: Annotated[float, Field(exclude_if=lambda share: share == MAX_SKIPPED)] = MAX_SKIPPED


@with_config(_CLOSED)
@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Progress of a run, sent about once a second."""

    phase: Literal["loading", "encoding", "training", "writing"]
    step: int
    steps: int
    loss: float | None  # per target token, smoothed
    learning_rate: float | None
    tokens: int  # real tokens processed so far
    tokens_per_s: float
    seconds_left: float | None
    rss_bytes: int


@with_config(_CLOSED)
@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """Result of a finished run."""

    run: str
    artifact: Path
    digest: str  # sha256 of the artifact's manifest.json, which lists every file's sha256 and size
    steps: int
    tokens: int
    target_tokens: int
    conversations: int
    first_loss: float  # of the method's objective
    last_loss: float
    seconds: float
    packages: Mapping[str, str]  # name -> version of what the run used
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason -> conversations left out
    #: Theirs in the data, from 0.
    skipped_lines: Annotated[Mapping[str, tuple[int, ...]], Field(exclude_if=lambda lines: not lines)] = (
        field(default_factory=dict)
    )

    #: Reason -> answers left out of conversations that were learned otherwise.
    left_out_answers: Annotated[Mapping[str, int], Field(exclude_if=lambda answers: not answers)] = field(
        default_factory=dict
    )
    method: Annotated[str, Field(exclude_if=lambda method: method == "lora")] = "lora"
    #: What the method made of the data: such as pairs, or the weights of desirable and undesirable answers.
    objective: Annotated[Mapping[str, float], Field(exclude_if=lambda facts: not facts)] = field(
        default_factory=dict
    )


@with_config(_CLOSED)
@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a run ended without an artifact."""

    error: str  # name of the error's class, such as "Diverged"
    message: str
    permanent: bool  # True: the same request fails again


Event: TypeAlias = Progress | RunResult | Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Loss of one conversation's assistant turns under one version."""

    id: str
    nll: float  # summed negative log-likelihood, nats
    tokens: int  # target tokens; 0: nothing to score
    end_nll: float = 0.0  # of the target tokens that end an answer, nats
    ends: int = 0  # how many these are

    @property
    def loss(self) -> float:
        """Nats per assistant token; NaN where there are none."""
        return self.nll / self.tokens if self.tokens else float("nan")


@dataclass(frozen=True, kw_only=True, slots=True)
class Surprisals:
    """Loss of each token of one conversation's assistant turns under one version, in their order."""

    id: str
    tokens: tuple[int, ...]  # ids of the target tokens; none: nothing to score
    nats: tuple[float, ...]  # negative log-likelihood of each


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a version wrote after a prompt, decoded greedily."""

    id: str  # of the prompt's conversation
    text: str  # as users read it: without control tokens, and without space at its ends
    raw: str  # with its control tokens, such as the marks of calls, but for the one that ended it
    ended: bool  # by itself, not by the limit of tokens
    tokens: int  # generated, the one that ended it included


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorerStats:
    """What a scorer holds in memory."""

    rss_bytes: int
    adapters: tuple[str, ...]
