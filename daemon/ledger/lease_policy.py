"""Decides when a lease may be taken over. Clocks of different machines are never compared."""

from dataclasses import dataclass

from daemon.domain.process_identity import ProcessIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseState:
    """The lease as stored in the ledger."""

    holder: ProcessIdentity | None  # None: free
    fence: int  # raised by each takeover
    beat: int  # raised by each renewal


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedLease:
    """A lease, and when the observer first saw it in this state, in seconds of its own monotonic clock."""

    held: LeaseState
    since: float


def observe(before: ObservedLease | None, held: LeaseState, *, now: float) -> ObservedLease:
    """Observe the lease again. The time starts anew if the lease has changed."""
    return before if before is not None and before.held == held else ObservedLease(held=held, since=now)


def may_take_over(observed: ObservedLease, *, now: float, ttl_s: float) -> bool:
    """Return whether the lease is free, its holder has verifiably ended, or has not renewed it for ``ttl_s``."""
    holder = observed.held.holder
    return holder is None or holder.gone or now - observed.since >= ttl_s


def is_due(*, renewed_at: float, now: float, ttl_s: float) -> bool:
    """Return whether the holder must renew now: early enough for a second and a third attempt."""
    return now - renewed_at >= ttl_s / 3


def has_lapsed(*, renewed_at: float, now: float, ttl_s: float) -> bool:
    """Return whether the holder must assume that another replica has taken over."""
    return now - renewed_at >= ttl_s
