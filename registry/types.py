"""Versions, promotions and gate reports: immutable values that the stores keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ConfigDict, with_config

from registry.json_types import FreeForm, Moment, Number
from registry.names import VersionName

#: Documents are read strictly, and checked when they are written too.
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always")


@dataclass(frozen=True, kw_only=True, slots=True)
class OffsetRange:
    """Records first..last (both included) of one partition."""

    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """What a version was made from; with the run's list of records, enough to rebuild its training set byte for byte."""

    base: str  # the base model's name, for people
    base_digest: str
    parent: VersionName | None
    method: str
    settings: FreeForm
    seed: int
    packages: Mapping[str, str]
    sources: tuple[OffsetRange, ...]
    conversations: int  # trained on; the run's record tells which
    data_digest: str  # sha256 of the training file


@with_config(_STRICT)
@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """An immutable adapter, or the bare base model (``artifact`` is None). Its name is never reused."""

    name: VersionName
    run: str | None
    artifact: str | None  # URL of the stored artifact
    digest: str  # of the artifact's manifest; the base's digest for the bare base
    size_bytes: int
    lineage: Lineage
    created_at: Moment


class PromotionKind(StrEnum):
    """How a version took over."""

    BOOTSTRAP = "bootstrap"  # the first live version of a line
    PROMOTION = "promotion"
    ROLLBACK = "rollback"


class GateVerdict(StrEnum):
    """The gate's answer. Underpowered is INCONCLUSIVE, never a pass."""

    PROMOTE = "promote"
    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceReport:
    """The paired comparison on one slice of held-out conversations. Losses in nats per assistant token."""

    name: str
    role: str  # "target": must win; "protected": must not get worse by more than the margin
    conversations: int
    clusters: int
    live_loss: Number
    candidate_loss: Number
    difference: Number  # candidate - live; negative is better
    lower: Number  # one-sided confidence bounds of the difference; infinite where nothing is known
    upper: Number
    verdict: GateVerdict
    needed: int  # further conversations for an answer; 0 when there is one
    reason: str


@with_config(_STRICT)
@dataclass(frozen=True, kw_only=True, slots=True)
class GateReport:
    """What the gate concluded about a candidate, with its numbers."""

    verdict: GateVerdict
    reason: str
    alpha: Number
    look: int
    slices: tuple[SliceReport, ...] = ()
    #: The live version it was compared with. A pass says nothing about another one.
    against: VersionName | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who did it: "daemon", or "operator" with a login name."""

    kind: str
    name: str


@with_config(_STRICT)
@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """One append-only entry: this version took over, from which, why, by whom."""

    model_line: str
    position: int  # 1 for the first entry of a line
    kind: PromotionKind
    version: VersionName
    previous: VersionName | None
    reason: str
    by: Actor
    at: Moment
    forced: bool = False  # True where an operator overrode the gate
    gate: GateReport | None = None
    previous_digest: str = ""  # digest of the entry before; "" for the first
