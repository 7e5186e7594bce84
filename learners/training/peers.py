"""Processes that train together in data parallel, started by torchrun.

All of them hold the whole model and plan the same steps. Each computes the gradients of its share of a step's packed rows;
these are added up, so every process takes the step that a single one would take. Losses are divided by the weights or tokens
of the whole step before they are added (learners.training.objectives), never averaged over processes, whose rows differ.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

from learners.errors import PeersLost

_T = TypeVar("_T")
#: Longer than the slowest process takes to load the model and to encode the data after the fastest has.
_WAIT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Peers:
    """This process among those that train together; alone where nothing else is said.

    All processes call the methods that exchange something in the same order. These raise PeersLost.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Return whether this is the process that writes progress, checkpoints and the artifact."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        return self.size == 1

    def share(self, items: Sequence[_T]) -> Sequence[_T]:
        """Return this process's share of the items: every ``size``-th."""
        return items[self.rank :: self.size]

    def add_up(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by the sum over all processes."""
        if not self.alone:
            with _lost_if_broken():
                distributed.all_reduce(tensor)

    def add_up_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace the gradients by their sums over all processes. A process without a row has none."""
        if self.alone:
            return
        learned = list(parameters)
        for parameter in learned:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in learned if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        self.add_up(flat)
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, summed in zip(gradients, parts, strict=True):
            gradient.copy_(summed.view_as(gradient))

    def total(self, *numbers: float) -> tuple[float, ...]:
        """Return the sum of each number over all processes."""
        if self.alone:
            return numbers
        summed = torch.tensor(numbers, dtype=torch.float64)
        self.add_up(summed)
        return tuple(summed.tolist())

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        return self.total(flag)[0] > 0

    def from_first(self, make: Callable[[], _T]) -> _T:
        """Call ``make`` in the first process alone and return its value in all of them."""
        if self.alone:
            return make()
        made: list[_T | None] = [make() if self.first else None]
        with _lost_if_broken():
            distributed.broadcast_object_list(made)
        (value,) = made
        return value  # type: ignore[return-value]  # from_first may return None as a value, too


ALONE = Peers()


def current_peers() -> Peers:
    """Return this process among those that it has joined."""
    if distributed.is_available() and distributed.is_initialized():
        return Peers(distributed.get_rank(), distributed.get_world_size())
    return ALONE


@contextmanager
def joined() -> Iterator[Peers]:
    """Join the processes that torchrun started, until the end of the block; any other process is alone. Raises PeersLost."""
    if not distributed.is_torchelastic_launched():
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(distributed.get_node_local_rank())
    with _lost_if_broken():
        distributed.init_process_group(timeout=_WAIT)
    yield current_peers()
    distributed.destroy_process_group()  # not after an error: it may wait for peers that are gone


@contextmanager
def _lost_if_broken() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # of gloo, NCCL or the store where they meet
        raise PeersLost(
            f"another process of the training ended or can't be reached: {str(error).splitlines()[0]}"
        ) from error
