"""Makes what becomes known of a conversation later comparable: the user's opinion, or none, the live version's loss."""

from datetime import timedelta
from math import log2

from monitors.sequential.conformal_bets import Signal
from monitors.texts import reply_text
from monitors.types import Sample

#: Steps of a score from -1 to 1, and of a loss in nats per token.
_SCORE_STEP, _LOSS_STEP = 0.25, 0.1
_HIGHEST_LOSS = 20.0  # of a token: that of a guess among half a billion
_DELAYS = {
    "a minute": timedelta(minutes=1),
    "minutes": timedelta(minutes=10),
    "an hour": timedelta(hours=1),
    "hours": timedelta(hours=6),
    "a day": timedelta(days=1),
}
_LONGEST = 6  # replies of 4,096 characters and more are of one length


def opinion_signal(
    key: int, sample: Sample, score: float, *, rated: bool, fresh: bool, delay: timedelta | None
) -> Signal:
    """Return what a user thought, from -1 (worst) to 1 (best): the first word on a conversation.

    Ratings are compared with ratings; thumbs and corrections, each of which says that an answer was wrong, are one kind.
    Each is compared with those that were given about as soon: who complains does so at once, and of young conversations
    no other opinion is known yet.
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
    """Return whether a user said in time what he thought of a conversation."""
    return Signal(
        key=key, group=sample.group, at=sample.at, kind="conversation", level=int(spoke), fresh=fresh
    )


def loss_signal(key: int, sample: Sample, nats_per_token: float, *, own: bool, fresh: bool) -> Signal:
    """Return how badly the live version predicts the replies of a conversation.

    Compared are conversations whose replies are about as long, and were both given by that version (``own``), which
    predicts itself well, or both were not.
    """
    length = min(_LONGEST, int(log2(1 + len(reply_text(sample)))) // 2)
    return Signal(
        key=key,
        group=sample.group,
        at=sample.at,
        kind=f"{'own' if own else 'other'} reply of length {length}",
        level=round(min(nats_per_token, _HIGHEST_LOSS) / _LOSS_STEP),
        fresh=fresh,
    )
