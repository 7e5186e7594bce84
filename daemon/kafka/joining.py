"""Joins a consumer group over several polls."""

from daemon.kafka.library import ConsumerCoordinator, Future, MemberState


class ResumingCoordinator(ConsumerCoordinator):  # type: ignore[misc]
    """Uses the result of a join that ended between two polls.

    The client's own coordinator drops that result and joins again. It may do so for ever if the broker always answers
    between two polls.
    """

    _ended_join: Future | None = None

    async def join_group_async(self, timeout_ms: float | None = None) -> bool:
        task = self._join_task
        # A failed join is repeated, and so is one whose generation was given up since.
        resumable = task is not None and task.succeeded() and self.state is MemberState.REBALANCING
        self._ended_join = task if resumable else None
        joined: bool = await super().join_group_async(timeout_ms=timeout_ms)
        return joined

    async def _do_join_and_sync_async(self) -> bytes:
        ended, self._ended_join = self._ended_join, None
        assignment: bytes = await super()._do_join_and_sync_async() if ended is None else ended.value
        return assignment
