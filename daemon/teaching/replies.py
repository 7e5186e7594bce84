"""Makes a reply of what an endpoint sent. Whatever is no whole answer gets the name of what is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from daemon.domain.clock import utc_now
from daemon.domain.teaching import Reply, TeacherOutcome
from daemon.intake.formats.dialects.reasoning import split_inline
from daemon.teaching.retry_after import retry_after_s

_MOST_WORDS = 200  # characters of the endpoint's own explanation
_MOST_TOKENS = 10_000_000  # that one call may claim to have taken
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _SERVER = (
    200,
    400,
    401,
    403,
    404,
    429,
    500,
)
_FINISHED = (None, "stop", "end_turn", "eos")


def reply_of(status: int, headers: Mapping[str, str], body: bytes, model: str) -> Reply:
    """Return what an answer of ``/chat/completions`` says."""
    if status != _OK:
        return _refusal(status, headers, body, model)
    if _is_html(headers, body):
        reason = "a page of HTML came instead of an answer, as of a proxy or a login; correct teacher.url"
        return Reply(outcome=TeacherOutcome.HTML, reason=reason)
    try:
        document = orjson.loads(body)
    except ValueError:
        reason = "the answer is not JSON; correct teacher.url, which may be no chat endpoint"
        return Reply(outcome=TeacherOutcome.NOT_JSON, reason=reason)
    if not isinstance(document, dict):
        return _not_an_answer("the answer is JSON, but no object")
    if "choices" not in document and document.get("error"):  # some gateways say it with status 200
        return _refusal(_SERVER, headers, body, model)
    return _answered(document)


def unsupported_parameter(status: int, body: bytes) -> str | None:
    """Return the parameter of the request that the model does not take; None: that is not what is wrong."""
    if status != _BAD_REQUEST:
        return None
    try:
        error = orjson.loads(body)["error"]
        return str(error["param"]) if str(error["code"]).startswith("unsupported_") else None
    except (KeyError, TypeError, ValueError):
        return None


def _answered(document: Mapping[str, Any]) -> Reply:
    """Return the text of an answer, or what is wrong with it, with what it took: that is paid either way."""
    usage = document.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return replace(
        _content(document),
        input_tokens=_count(counts.get("prompt_tokens")),
        output_tokens=_count(counts.get("completion_tokens")),
    )


def _content(document: Mapping[str, Any]) -> Reply:
    choice = _first(document.get("choices"))
    if choice is None:
        return _not_an_answer("the answer has no choices")
    message = choice.get("message")
    if not isinstance(message, dict):
        return _not_an_answer("the answer has no message")
    if isinstance(message.get("refusal"), str) and message["refusal"].strip():
        return Reply(outcome=TeacherOutcome.DECLINED, reason="the model refuses to answer")
    finish, content = choice.get("finish_reason"), message.get("content")
    if finish in ("length", "max_tokens"):
        reason = "the answer was cut off; raise teacher.max_tokens, or ask for short answers in teacher.system_prompt"
        return Reply(outcome=TeacherOutcome.CUT_OFF, reason=reason)
    if finish == "content_filter":
        reason = "the endpoint's content filter kept the answer"
        return Reply(outcome=TeacherOutcome.FILTERED, reason=reason)
    if finish not in _FINISHED:
        return _not_an_answer(f"the answer ended with {str(finish)[:40]!r}")
    if content is None:
        content = ""
    if not isinstance(content, str) or "\0" in content:
        return _not_an_answer("the answer's content is no text")
    _, answer = split_inline(content)  # some servers leave the reasoning in front of it
    if not answer.strip():
        return Reply(outcome=TeacherOutcome.EMPTY, reason="the answer is empty")
    return Reply(outcome=TeacherOutcome.ANSWERED, text=answer.strip())


def _first(choices: object) -> Mapping[str, Any] | None:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _count(value: object) -> int | None:
    """Return a plausible number of tokens; None for anything else."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def _not_an_answer(what: str) -> Reply:
    reason = f"{what}; the endpoint does not keep OpenAI's API: correct teacher.url"
    return Reply(outcome=TeacherOutcome.NOT_AN_ANSWER, reason=reason)


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    beginning = body[:200].lstrip().lower()
    return "text/html" in headers.get("content-type", "").lower() or beginning.startswith(
        (b"<!doctype html", b"<html")
    )


def _refusal(status: int, headers: Mapping[str, str], body: bytes, model: str) -> Reply:
    """Say how the endpoint refused, in its own words, and which setting to check."""
    code, words = _own_words(body)
    said = f"the endpoint answers {status}{f' ({words})' if words else ''}"
    wait = retry_after_s(headers.get("retry-after"), utc_now())
    if 300 <= status < 400:
        reason = f"{said} and redirects, which is not followed: set teacher.url to the final address"
        return Reply(outcome=TeacherOutcome.REDIRECTED, reason=reason)
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        reason = f"{said}: check the key in teacher.api_key_file and what it may use"
        return Reply(outcome=TeacherOutcome.UNAUTHORIZED, reason=reason)
    if status == _NOT_FOUND or code == "model_not_found":
        reason = f"{said}: check teacher.model ({model}) and teacher.url"
        return Reply(outcome=TeacherOutcome.NOT_FOUND, reason=reason)
    if status == _TOO_MANY:
        reason = f"{said}: too many calls, or the account is used up; it is tried again"
        return Reply(outcome=TeacherOutcome.RATE_LIMITED, reason=reason, retry_after_s=wait)
    if status >= _SERVER:
        reason = f"{said}; it is tried again"
        return Reply(outcome=TeacherOutcome.SERVER_ERROR, reason=reason, retry_after_s=wait)
    reason = f"{said}: it does not accept the request; check teacher.max_tokens and teacher.temperature"
    return Reply(outcome=TeacherOutcome.REFUSED, reason=reason)


def _own_words(body: bytes) -> tuple[str, str]:
    """Return the endpoint's error code, and its message for people, without control characters."""
    try:
        error = orjson.loads(body)["error"]
        code, message = (error, "") if isinstance(error, str) else (error.get("code"), error.get("message"))
    except (AttributeError, KeyError, TypeError, ValueError):
        return "", ""
    words = " ".join(str(message or code or "").split())
    return str(code or ""), "".join(one if one.isprintable() else " " for one in words)[:_MOST_WORDS]
