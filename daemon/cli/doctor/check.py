"""The result of one check."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from daemon.domain.errors import DaemonError
from daemon.domain.os_errors import os_failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check; ``remedy`` says how to repair what failed."""

    subject: str
    ok: bool
    found: str
    remedy: str = ""
    example: str = ""  # a conversation as the model learns it, what is learned between ⟦ and ⟧


def passed(subject: str, found: str, *, example: str = "") -> Check:
    """Return a check that passed."""
    return Check(subject=subject, ok=True, found=found, example=example)


def guarded(subject: str, check: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Return the checks; where one fails to run, a failed check says so, and the others are still made."""
    try:
        yield from check()
    except OSError as error:
        found, _, remedy = os_failure(error).rpartition("; ")
        yield failed(subject, found, remedy)
    except DaemonError as error:
        yield failed(subject, str(error), "repair what the message names")
    except ImportError as error:
        yield failed(subject, f"a library is missing or broken: {error}", "install retuned again")
    except Exception as error:  # noqa: BLE001 - the doctor survives everything
        text = " ".join(str(error).split())
        found = f"the check itself failed: {type(error).__name__}{f': {text}' if text else ''}"
        yield failed(subject, found, "report this line, as it is a bug of retuned or of a library")


def failed(subject: str, found: str, remedy: str, *, example: str = "") -> Check:
    """Return a check that failed."""
    return Check(subject=subject, ok=False, found=found, remedy=remedy, example=example)
