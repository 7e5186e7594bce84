"""Tells calls that failed from calls that were answered."""

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON
from daemon.intake.decoding_fields import Object

_STATUS_FIELDS = ("status", "status_code", "statusCode", "http_status", "response_status")
_STATUSES = frozenset(_STATUS_FIELDS)
_FAILED = frozenset({"failure", "failed", "error", "cancelled", "canceled", "timeout"})
_FIRST_ERROR = 400


def pass_over_failure(response: JSON, at: str) -> None:
    """Raise NoConversation if there is no response, or if it is an error."""
    if not response:
        raise NoConversation(Absence.FAILED, at, "is empty: the call was not answered")
    if isinstance(response, str) and response.lstrip()[:_LONGEST_HEAD].lower().startswith(_PAGES):
        raise NoConversation(Absence.FAILED, at, "is a web page: a proxy answered in the model's place")
    if not isinstance(response, dict):
        return
    if response.get("error") or response.get("object") == "error" or response.get("type") == "error":
        raise NoConversation(Absence.FAILED, f"{at}.error", "says that the call failed")
    if _ANSWERS.isdisjoint(response) and (name := _complaint(response)) is not None:
        raise NoConversation(Absence.FAILED, f"{at}.{name}", "says that the call failed")
    pass_over_status(response, f"{at}.")


#: How the pages of proxies begin, in lower case.
_PAGES = ("<!doctype html", "<html", "<?xml")
_LONGEST_HEAD = max(map(len, _PAGES))
_ANSWERS = frozenset({"choices", "output", "content", "text", "answer", "messages"})


def _complaint(response: Object) -> str | None:
    """Return the field by which a body without an answer tells of a failure: FastAPI's, a gateway's or GraphQL's."""
    if isinstance(response.get("message"), dict):
        return None
    found = next(
        (name for name in ("detail", "errors", "fault", "exception", "Message") if response.get(name)), None
    )
    if found is None and isinstance(response.get("message"), str) and "id" not in response:
        return "message"
    return "success" if found is None and response.get("success") is False else found


def pass_over_status(record: Object, at: str = "") -> None:
    """Raise NoConversation if a record has the status of a failed call, in HTTP's numbers or in words."""
    if _STATUSES.isdisjoint(record):
        return
    for name in _STATUS_FIELDS:
        status = record.get(name)
        if status is None or isinstance(status, bool):
            continue
        if isinstance(status, str):
            is_failure = status.lower() in _FAILED or (
                status.isdecimal() and len(status) == 3 and status >= "400"
            )
        else:
            is_failure = isinstance(status, int | float) and status >= _FIRST_ERROR
        if is_failure:
            raise NoConversation(Absence.FAILED, f"{at}{name}", "says that the call failed")
