"""Versions, promotions and gate reports, as immutable values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, with_config

from registry.json_types import STRICT, FreeForm, Moment, Number
from registry.names import VersionName


@dataclass(frozen=True, kw_only=True, slots=True)
class OffsetRange:
    """The records of one partition from offset ``first`` to ``last``, both included."""

    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """What a version was made from. With the run's list of records, the training set can be rebuilt byte for byte."""

    base: str  # display name of the base model
    base_digest: str
    parent: VersionName | None
    method: str
    settings: FreeForm
    seed: int
    packages: Mapping[str, str]
    sources: tuple[OffsetRange, ...]
    conversations: int  # number trained on; the run's record lists them
    data_digest: str  # SHA-256 of the training file


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """An immutable adapter, or the bare base model if ``artifact`` is None. Names are never reused."""

    name: VersionName
    run: str | None
    artifact: str | None  # URL of the stored artifact
    digest: str  # SHA-256 of the artifact's manifest; for the bare base model, its digest
    size_bytes: int
    lineage: Lineage
    created_at: Moment


class PromotionKind(StrEnum):
    """How a version became live."""

    BOOTSTRAP = "bootstrap"  # the first live version of a line
    PROMOTION = "promotion"
    ROLLBACK = "rollback"


class GateVerdict(StrEnum):
    """The gate's verdict. Too little evidence is INCONCLUSIVE."""

    PROMOTE = "promote"
    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"


class Measure(StrEnum):
    """What a slice compares, in nats per token."""

    LOSS = "loss"  # of good answers; lower is better
    MARGIN = "margin"  # by which one answer or prompt is likelier than another; higher is better
    END = "end"  # loss of the tokens that end good answers; lower is better


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceReport:
    """The paired comparison on one slice of held-out lessons, in nats per token of the answers.

    Of a slice of margins, ``live_loss`` and ``candidate_loss`` are the negative margins, so that lower is better.
    """

    name: str
    role: str  # "target": must be better; "protected": must not be worse by the margin or more; "reported": either
    conversations: int
    clusters: int
    live_loss: Number
    candidate_loss: Number
    difference: Number  # candidate - live; negative is better
    lower: Number  # one-sided confidence bounds of the difference; infinite without an estimate
    upper: Number
    verdict: GateVerdict
    needed: int  # estimated further conversations for a decision; 0 if there is one
    reason: str
    #: Left out of JSON where it is the loss, as in entries of earlier releases.
    measure: Annotated[Measure, Field(exclude_if=lambda measure: measure is Measure.LOSS)] = Measure.LOSS

    @property
    def decides(self) -> bool:
        """Whether the gate's verdict depends on this one."""
        return self.role != "reported"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """How often both versions' answers to the same prompts failed one check, such as "ends by itself"."""

    name: str
    prompts: int
    live_failed: int
    candidate_failed: int
    worse: int  # prompts on which only the candidate failed
    better: int  # prompts on which only the live version failed
    p_value: Number  # of the exact one-sided McNemar test that the candidate fails more often
    #: By how much the share of failing prompts must grow to be found with 80% power; infinite if none is found so surely.
    smallest_harm: Number
    verdict: GateVerdict  # REJECT: it fails more often; PROMOTE: no harm found; INCONCLUSIVE: too few prompts
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure of both versions that the gate reports and does not decide on, such as token F1 against good answers."""

    name: str
    live: Number
    candidate: Number
    count: int  # of prompts or pairs


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True, slots=True)
class GateReport:
    """The gate's verdict on a candidate, with the numbers of each slice."""

    verdict: GateVerdict
    reason: str
    alpha: Number
    look: int
    slices: tuple[SliceReport, ...] = ()
    #: The live version that the candidate was compared with. A pass is valid against this version only.
    against: VersionName | None = None
    #: Left out of JSON where there are none, as in entries of earlier releases, whose digests stay what they are.
    checks: Annotated[tuple[CheckReport, ...], Field(exclude_if=lambda checks: not checks)] = ()
    figures: Annotated[tuple[Figure, ...], Field(exclude_if=lambda figures: not figures)] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who added an entry. ``kind`` is "daemon", or "operator" with the login name in ``name``."""

    kind: str
    name: str


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """One entry of the promotion log: which version became live, instead of which, why and by whom."""

    model_line: str
    position: int  # 1 for the first entry of a line
    kind: PromotionKind
    version: VersionName
    previous: VersionName | None
    reason: str
    by: Actor
    at: Moment
    forced: bool = False  # True if an operator overruled the gate
    gate: GateReport | None = None
    previous_digest: str = ""  # digest of the previous entry; "" for the first
