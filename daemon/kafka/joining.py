"""Joining a group in more polls than one."""

from daemon.kafka.library import ConsumerCoordinator, Future, MemberState


class TakingUpCoordinator(ConsumerCoordinator):  # type: ignore[misc]
    """Takes up a join that ended between two polls.

    The client's own drops it and joins again, for ever where the polls are in step with the broker: one that lets a
    group form for a second answers just as the tenth poll of a tenth of a second is over.
    """

    _ended: Future | None = None

    async def join_group_async(self, timeout_ms: float | None = None) -> bool:
        task = self._join_task
        # A join that failed is made anew, as is one whose generation was given up since.
        taken_up = task is not None and task.succeeded() and self.state is MemberState.REBALANCING
        self._ended = task if taken_up else None
        joined: bool = await super().join_group_async(timeout_ms=timeout_ms)
        return joined

    async def _do_join_and_sync_async(self) -> bytes:
        ended, self._ended = self._ended, None
        assignment: bytes = await super()._do_join_and_sync_async() if ended is None else ended.value
        return assignment
