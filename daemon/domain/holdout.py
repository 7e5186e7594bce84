"""Splits users into held out and trainable by a keyed hash."""

import hmac
from functools import lru_cache

from daemon.domain.errors import DaemonError

_BUCKETS = 1_000_000
_CACHED_USERS = 65_536  # about 20 MB at most


class Holdout:
    """Assigns each user to a side of the split; where the user is unknown, each session; else each chat, by its first turns.

    The side depends on the key and that unit only, so it is the same after any restart and on any replica. User ids leave
    this class only as keyed hashes, so that the ledger can't be joined with other data.
    """

    def __init__(self, key: bytes, *, share: float) -> None:
        if len(key) < 16:
            raise BadHoldoutKey(
                f"the holdout key has {len(key)} bytes; use 16 or more (`head -c 32 /dev/urandom`)"
            )
        self._key = key
        self._share = share
        # The same users come again and again.
        self.user_hash = lru_cache(_CACHED_USERS)(self._user_hash)
        self.holds_out = lru_cache(_CACHED_USERS)(self._holds_out)

    @property
    def fingerprint(self) -> str:
        """Identifies key and share without revealing the key."""
        return f"{self._hash('fingerprint', '')[:16]}/{self._share:g}"

    def _user_hash(self, user_id: str) -> str:
        """Return the pseudonym of a user: 32 hexadecimal digits."""
        return self._hash("user", user_id)[:32]

    def conversation_hash(self, conversation_id: str) -> str:
        """Return the pseudonym of a conversation: 32 hexadecimal digits."""
        return self._hash("conversation", conversation_id)[:32]

    def group(self, user_id: str | None, conversation_id: str) -> str:
        """Return the pseudonym of the conversation's user, or of the conversation if the user is unknown."""
        return self.user_hash(user_id) if user_id is not None else self.conversation_hash(conversation_id)

    def unit(self, user_id: str | None, session_id: str | None, opening: int) -> str:
        """Return the pseudonym of what is held out as one: the user, else the session, else a chat with this opening."""
        if user_id is not None:
            return self.user_hash(user_id)
        if session_id is not None:
            return self.conversation_hash(session_id)
        return self._hash("opening", str(opening))[:32]

    def _holds_out(self, group: str) -> bool:
        """Return whether a group is held out."""
        return int(self._hash("side", group)[:16], 16) % _BUCKETS < self._share * _BUCKETS

    def _hash(self, purpose: str, text: str) -> str:
        return hmac.digest(self._key, f"{purpose}\0{text}".encode(), "sha256").hex()


class BadHoldoutKey(DaemonError):
    """The holdout key can't be read, or is too short to keep user ids secret."""
