"""Calls of a teacher: what they are for, and how they end."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TeacherPurpose(StrEnum):
    """What a teacher is asked for; labels metrics."""

    ANSWER = "answer"  # a good answer to a prompt
    JUDGE = "judge"  # which of two answers is better


class TeacherOutcome(StrEnum):
    """How a call ended; labels metrics. All but ``ANSWERED`` name why there is nothing to learn."""

    ANSWERED = "answered"
    # No answer of a model came back; the call may be tried again.
    UNREACHABLE = (
        "unreachable"  # no connection, no such host, or a certificate that is not trusted: nothing was sent
    )
    UNAUTHORIZED = "unauthorized"  # 401 or 403
    NOT_FOUND = "not_found"  # 404: no such path or no such model
    RATE_LIMITED = "rate_limited"  # 429
    SERVER_ERROR = "server_error"  # 5xx
    TIMEOUT = "timeout"  # it took longer than teacher.timeout_s
    BROKEN_OFF = "broken_off"  # the connection was closed before the end
    NO_KEY = "no_key"  # the file of the key can't be read: nothing was sent
    UNFINISHED = "unfinished"  # it goes on, or the daemon ended before the answer was stored
    REFUSED = "refused"  # another 4xx: the endpoint does not accept the request
    REDIRECTED = "redirected"  # redirects are not followed
    TOO_LARGE = "too_large"  # more bytes than an answer has
    NOT_JSON = "not_json"
    HTML = "html"  # the page of a proxy or a login
    NOT_AN_ANSWER = "not_an_answer"  # JSON of another shape, or no choices
    # An answer came back that can't be used; the same question would get it again.
    EMPTY = "empty"
    CUT_OFF = "cut_off"  # finish_reason length
    FILTERED = "filtered"  # finish_reason content_filter
    DECLINED = "declined"  # the model's refusal
    NO_VERDICT = "no_verdict"  # of a judge: neither A, B nor C
    DISCARDED = "discarded"  # it was answered, and an operator took the answer out

    @property
    def passing(self) -> bool:
        """Whether the same question may be answered later."""
        return self in _PASSING

    @property
    def of_endpoint(self) -> bool:
        """Whether it says something of the endpoint, not of the question: all other questions would fail as well."""
        return self in _OF_ENDPOINT

    @property
    def sent(self) -> bool:
        """Whether a request was sent, so that it counts as a call."""
        return self not in (TeacherOutcome.UNREACHABLE, TeacherOutcome.NO_KEY)

    @property
    def may_cost(self) -> bool:
        """Whether the endpoint may have charged for it though nothing tells how much."""
        return self in _MAY_COST


_OF_ENDPOINT = frozenset(
    {
        TeacherOutcome.UNREACHABLE,
        TeacherOutcome.UNAUTHORIZED,
        TeacherOutcome.NOT_FOUND,
        TeacherOutcome.RATE_LIMITED,
        TeacherOutcome.REDIRECTED,
        TeacherOutcome.HTML,
        TeacherOutcome.NO_KEY,
    }
)
_PASSING = _OF_ENDPOINT | {
    TeacherOutcome.REFUSED,
    TeacherOutcome.TOO_LARGE,
    TeacherOutcome.NOT_JSON,
    TeacherOutcome.NOT_AN_ANSWER,
    TeacherOutcome.SERVER_ERROR,
    TeacherOutcome.TIMEOUT,
    TeacherOutcome.BROKEN_OFF,
    TeacherOutcome.UNFINISHED,
}
_MAY_COST = frozenset(
    {
        TeacherOutcome.TIMEOUT,
        TeacherOutcome.BROKEN_OFF,
        TeacherOutcome.UNFINISHED,
        TeacherOutcome.TOO_LARGE,
        TeacherOutcome.NOT_JSON,
        TeacherOutcome.NOT_AN_ANSWER,
        TeacherOutcome.ANSWERED,
        TeacherOutcome.EMPTY,
        TeacherOutcome.CUT_OFF,
        TeacherOutcome.DECLINED,
        TeacherOutcome.NO_VERDICT,
        TeacherOutcome.FILTERED,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """How one call of a teacher ended."""

    outcome: TeacherOutcome
    text: str = ""  # the answer, as the endpoint wrote it; empty unless answered
    reason: str = ""  # a sentence with cause and remedy, unless answered
    input_tokens: int | None = None  # as the endpoint counts them; None: it does not say
    output_tokens: int | None = None
    retry_after_s: float | None = None  # how long the endpoint asks to wait


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherCall:
    """What a teacher is asked."""

    purpose: TeacherPurpose
    model: str
    digest: str  # equal for questions that need not be asked twice
    seq: int | None = None  # of the conversation whose prompt it is


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherSpending:
    """What calls took."""

    calls: int = 0
    money: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherRecord:
    """One call, as the ledger keeps it."""

    id: int
    at: datetime
    purpose: TeacherPurpose
    outcome: TeacherOutcome
    model: str
    seq: int | None  # None: its conversation is gone, or it was about none
    answer: str | None  # a judge's verdict is a letter; None where there is none, or where it was erased
    reason: str | None  # why there is no answer
    input_tokens: int | None  # None: unknown
    output_tokens: int | None
    cost: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """How often a question was asked, and how that ended."""

    answered: bool = False
    refused: bool = False  # the model gave an answer that can't be used, and would again
    failed: int = 0  # calls that failed, and may be tried again
