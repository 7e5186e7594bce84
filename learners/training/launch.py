"""Starts the processes of this machine that train together, as torchrun does.

torchrun's own variables say how many there are and where they meet: PET_NNODES, PET_NODE_RANK, PET_MASTER_ADDR,
PET_MASTER_PORT and PET_NPROC_PER_NODE. The Kubeflow Trainer sets these, too.
"""

import signal
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import distributed
from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from learners.errors import BadRequest, Cancelled, PeersLost

#: Seconds in which the nodes must meet: one may still wait for its image.
_MEET_S = 1800


def launch(module: Sequence[str], *, logs: Path) -> int | None:
    """Run ``python -m MODULE`` in as many processes as this machine shall have; return the exit code.

    That is 0, or the code of the process that failed first, where torchrun's command would end with 1 whatever the reason. None: this
    process trains alone, or torchrun started it. Raises BadRequest; Cancelled after SIGTERM; PeersLost.
    """
    if distributed.is_torchelastic_launched():
        return None
    wanted = _wanted(module, logs)
    if wanted is None:
        return None
    try:
        run.run(wanted)  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode >= 0 else 128 - failure.exitcode
    except SignalException as error:
        raise Cancelled(f"the training was asked to stop by {signal.Signals(error.sigval).name}") from error
    except RuntimeError as error:  # of the store where the nodes meet
        raise PeersLost(f"the nodes of the training did not meet: {str(error).splitlines()[0]}") from error
    return 0


def _wanted(module: Sequence[str], logs: Path) -> Namespace | None:
    """Return torchrun's arguments, most of them from its variables; None where one process is wanted."""
    wanted: Namespace = run.parse_args(["-m", *module])  # type: ignore[no-untyped-call]
    try:
        if wanted.nproc_per_node == "1" and torch.cuda.device_count() > 1:
            wanted.nproc_per_node = "gpu"
        nodes = run.parse_min_max_nnodes(wanted.nnodes)
        processes = run.determine_local_world_size(wanted.nproc_per_node)
    except (RuntimeError, ValueError) as error:
        raise BadRequest(f"torchrun's variables (PET_*) can't be used: {error}") from error
    if nodes == (1, 1) and processes == 1:
        return None
    wanted.log_dir = wanted.log_dir or str(logs)
    wanted.rdzv_conf = wanted.rdzv_conf or f"timeout={_MEET_S}"
    return wanted
