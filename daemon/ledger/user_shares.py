"""Counts how conversations spread over users, who are the unit of the holdout and of erasure."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from daemon.ledger.database import reader
from daemon.ledger.tables import conversations

#: With fewer conversations, one user's share says nothing.
_FEWEST = 20
_MOST_SHARE = 0.5
#: Shares are those of the newest conversations, so that they cost the same in a large ledger.
_NEWEST = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class UserShares:
    """How the newest conversations, at most 10,000, spread over users."""

    conversations: int
    without_user: int  # of all stored ones, those whose records name no user: no erasure of a user finds them
    of_one_user: int  # of the user who has the most
    held_out: bool = False  # whether that user's are held out

    @property
    def problem(self) -> str | None:
        """Why the holdout can't split these conversations as it should; None if it can."""
        if self.conversations < _FEWEST or self.of_one_user <= _MOST_SHARE * self.conversations:
            return None
        side = (
            "held out, so nothing else is left to learn"
            if self.held_out
            else "trainable, so the gate lacks them"
        )
        those = "the newest " if self.conversations == _NEWEST else ""
        return (
            f"one user id has {self.of_one_user:,} of {those}{self.conversations:,} conversations, and a user is on one side of "
            f"the holdout: they are all {side}"
        )

    @property
    def remedy(self) -> str:
        """What to do about the problem."""
        return (
            "if many people share that id, name it in hygiene.shared_user_ids: sessions are split from then on; better, "
            "log an id for each user"
        )


def read_user_shares(engine: Engine) -> UserShares:
    """Count the newest conversations by user."""
    newest = select(conversations.c.user_hash).order_by(conversations.c.seq.desc()).limit(_NEWEST).subquery()
    with reader(engine).begin() as connection:
        hash_ = newest.c.user_hash
        total = connection.scalar(select(func.count()).select_from(newest)) or 0
        by_size = select(hash_, func.count()).where(hash_.is_not(None)).group_by(hash_)
        largest = connection.execute(by_size.order_by(func.count().desc(), hash_).limit(1)).first()
        user, count = largest if largest is not None else (None, 0)
        side = select(conversations.c.held_out).where(conversations.c.user_hash == user).limit(1)
        return UserShares(
            conversations=total,
            without_user=_without_user(connection),
            of_one_user=count,
            held_out=bool(connection.scalar(side)),
        )


def count_without_user(engine: Engine) -> int:
    """Count the stored conversations whose records name no user."""
    with reader(engine).begin() as connection:
        return _without_user(connection)


def _without_user(connection: Connection) -> int:
    query = select(func.count()).select_from(conversations).where(conversations.c.user_hash.is_(None))
    return connection.scalar(query) or 0
