"""Fixes at intake, by a keyed hash, who is held out; nothing a version is judged on is ever trained on."""

import hmac
from functools import lru_cache

from daemon.domain.errors import DaemonError

_BUCKETS = 1_000_000
_REMEMBERED = 65_536  # users; about 20 MB at most


class Holdout:
    """Splits users (or, where unknown, conversations) into held out and trainable.

    The side depends on the key and the id alone: in any order, after any restart, on any replica. User ids leave
    this class only as keyed hashes, so that the ledger can't be joined with other data.
    """

    def __init__(self, key: bytes, *, share: float) -> None:
        if len(key) < 16:
            raise BadHoldoutKey(
                f"the holdout key has {len(key)} bytes; use 16 or more (`head -c 32 /dev/urandom`)"
            )
        self._key = key
        self._share = share
        # Users come again and again; what was computed for them is kept for the latest.
        self.user_hash = lru_cache(_REMEMBERED)(self._user_hash)
        self.holds_out = lru_cache(_REMEMBERED)(self._holds_out)

    @property
    def fingerprint(self) -> str:
        """Identifies key and share without telling the key."""
        return f"{self._hash('fingerprint', '')[:16]}/{self._share:g}"

    def _user_hash(self, user_id: str) -> str:
        """Return the pseudonym of a user: 32 hexadecimal digits."""
        return self._hash("user", user_id)[:32]

    def conversation_hash(self, conversation_id: str) -> str:
        """Return the pseudonym of a conversation: 32 hexadecimal digits."""
        return self._hash("conversation", conversation_id)[:32]

    def group(self, user_id: str | None, conversation_id: str) -> str:
        """Return what this conversation depends on: its user, else itself."""
        return self.user_hash(user_id) if user_id is not None else self.conversation_hash(conversation_id)

    def _holds_out(self, group: str) -> bool:
        """Say on which side a group is."""
        return int(self._hash("side", group)[:16], 16) % _BUCKETS < self._share * _BUCKETS

    def _hash(self, purpose: str, text: str) -> str:
        return hmac.digest(self._key, f"{purpose}\0{text}".encode(), "sha256").hex()


class BadHoldoutKey(DaemonError):
    """The holdout key can't be read, or is too short to keep user ids secret."""
