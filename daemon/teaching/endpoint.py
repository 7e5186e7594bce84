"""Where a teacher is, and how it is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.config.loader import read_secret
from daemon.config.sections.teacher import TeacherSection


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An endpoint with OpenAI's API. Follows no redirect and uses no proxy."""

    url: str  # without the slash at the end
    model: str
    #: Returns the API key; None: there is none. Called for each request. Raises DaemonError.
    api_key: Callable[[], str | None] = field(repr=False)
    cafile: str | None = None  # None: the authorities that the system trusts
    timeout_s: float = 60.0
    max_tokens: int = 512
    temperature: float = 0.0


def endpoint_of(teacher: TeacherSection) -> Endpoint | None:
    """Return the endpoint that the settings name; None: there is no teacher. Reads no file."""
    if teacher.url is None or teacher.model is None:
        return None
    return Endpoint(
        url=teacher.url.rstrip("/"),
        model=teacher.model,
        api_key=lambda: read_secret(None, teacher.api_key_file),
        cafile=str(teacher.ca_file) if teacher.ca_file else None,
        timeout_s=teacher.timeout_s,
        max_tokens=teacher.max_tokens,
        temperature=teacher.temperature,
    )
