"""Turns feedback, its absence, and the live version's loss into comparable late signals."""

from datetime import timedelta
from math import log2

from monitors.sequential.conformal_bets import Signal
from monitors.texts import reply_text
from monitors.types import Sample

#: Width of a level: of feedback from -1 to 1, and of a loss in nats per token.
_SCORE_STEP, _LOSS_STEP = 0.25, 0.1
_MAX_LOSS = 20.0  # nats per token
_DELAYS = {
    "a minute": timedelta(minutes=1),
    "minutes": timedelta(minutes=10),
    "an hour": timedelta(hours=1),
    "hours": timedelta(hours=6),
    "a day": timedelta(days=1),
}
_MAX_LENGTH = 6  # the class of replies of 4,096 characters and more


def opinion_signal(
    key: int, sample: Sample, score: float, *, rated: bool, fresh: bool, delay: timedelta | None
) -> Signal:
    """Return the signal of a conversation's first feedback, from -1 (worst) to 1 (best).

    Ratings are one kind, thumbs and corrections another. Feedback is compared with feedback given after a similar delay:
    complaints come early, so young conversations have mostly negative feedback.
    """
    what = "rating" if rated else "thumb"
    return Signal(
        key=key,
        group=sample.group,
        at=sample.at,
        kind=f"{what} after {_about(delay)}",
        level=round(-score / _SCORE_STEP),
        fresh=fresh,
    )


def _about(delay: timedelta | None) -> str:
    if delay is None:
        return "some time"
    return next((name for name, longest in _DELAYS.items() if delay <= longest), "days")


def spoken_signal(key: int, sample: Sample, *, spoke: bool, fresh: bool) -> Signal:
    """Return the signal of whether a user gave feedback in time."""
    return Signal(
        key=key, group=sample.group, at=sample.at, kind="conversation", level=int(spoke), fresh=fresh
    )


def loss_signal(key: int, sample: Sample, nats_per_token: float, *, own: bool, fresh: bool) -> Signal:
    """Return the signal of the live version's loss on the replies of a conversation.

    Losses are compared for replies of similar length, and separately for the version's own replies (``own``), which it
    predicts well.
    """
    length = min(_MAX_LENGTH, int(log2(1 + len(reply_text(sample)))) // 2)
    return Signal(
        key=key,
        group=sample.group,
        at=sample.at,
        kind=f"{'own' if own else 'other'} reply of length {length}",
        level=round(min(nats_per_token, _MAX_LOSS) / _LOSS_STEP),
        fresh=fresh,
    )
