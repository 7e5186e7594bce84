"""Shows in the metrics how long certificates and the access token for Kafka are valid."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from daemon.domain.clock import Clock, Interval
from daemon.telemetry.metrics import Metrics
from daemon.views.certificates import Certificate

_EVERY = timedelta(seconds=60)


class AccessTokens(Protocol):
    """Keeps an access token fresh."""

    @property
    def seconds_left(self) -> float | None:
        """How long the newest token is valid yet; negative for one that has expired, None without one."""
        ...

    @property
    def failing_for_s(self) -> float | None:
        """For how long no token could be fetched; None while they can."""
        ...


class CredentialsStage:
    """Reads the certificates once a minute, and asks for the token's state at every step."""

    name = "credentials"

    def __init__(
        self,
        read_certificates: Callable[[], Iterable[Certificate]],
        tokens: AccessTokens | None,
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``tokens``: None where Kafka asks for no token."""
        self._read_certificates = read_certificates
        self._tokens = tokens
        self._metrics = metrics.process
        self._clock = clock
        self._interval = Interval(_EVERY)

    def step(self) -> None:
        """Show the token's state, and the certificates', if that is due."""
        now = self._clock()
        if self._tokens is not None:
            left, failing = self._tokens.seconds_left, self._tokens.failing_for_s
            self._metrics.token_is(
                expires_at=None if left is None else now.timestamp() + left,
                failing_since=None if failing is None else now.timestamp() - failing,
            )
        if self._interval.is_due(now):
            self._interval.start(now)
            expiries = {each.setting: each.expires_at.timestamp() for each in self._read_certificates()}
            self._metrics.certificates_expire(expiries)

    def close(self, timeout_s: float) -> None:
        """Do nothing: the stage holds no resources."""
