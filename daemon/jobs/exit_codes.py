"""How the process of a job's pod ends. A Job's podFailurePolicy tells pods apart by these."""

from enum import IntEnum


class PodExit(IntEnum):
    """What an exit code of ``retuned train-job`` means.

    Any other failed for a reason of the machine: the kernel's 137 after SIGKILL, as when memory runs out, or 139 after a crash.
    """

    #: The artifact and ``result.json`` are stored, by this pod or by one before.
    FINISHED = 0
    #: Failed for a reason that may pass, such as a store that does not answer. Another pod may succeed: count it
    #: towards backoffLimit.
    FAILED = 1
    #: The command line is wrong. Another pod fails again: FailJob.
    MISUSED = 2
    #: Ended by SIGTERM, or as another pod of the training ended: no fault of this one. What was done is in a checkpoint in
    #: the store. The pod was evicted, or its Job deleted: Ignore.
    CANCELLED = 3
    #: The request, the data or the model can't be used, and ``result.json`` says why. Another pod fails again: FailJob.
    PERMANENT = 42
