"""Asks an endpoint with OpenAI's API; whatever happens becomes a reply."""

import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import orjson

from daemon.domain.errors import DaemonError
from daemon.domain.teaching import Reply, TeacherOutcome
from daemon.teaching.body import BodyError, BoundedBody
from daemon.teaching.endpoint import Endpoint
from daemon.teaching.replies import reply_of, unsupported_parameter

_CONNECT_S = 10.0
#: Parameters without which, or by another name of which, a model is asked if it refuses them.
_OPTIONAL = ("max_tokens", "temperature")


class HttpAnswer(NamedTuple):
    """What an endpoint sent."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(slots=True)
class CallFailed(Exception):
    """No whole answer came back."""

    reply: Reply


class TeacherClient:
    """Asks one endpoint. Thread-safe: each call has a connection of its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._unsupported: frozenset[str] = frozenset()  # parameters that the model has refused

    def ask(self, messages: Sequence[Mapping[str, str]], *, max_tokens: int | None = None) -> Reply:
        """Ask for an answer to messages of OpenAI's form. Takes at most about twice ``timeout_s``; raises nothing.

        Newer models refuse the limit of tokens by its old name, or a temperature: then they are asked once more without.
        """
        limit = self._endpoint.max_tokens if max_tokens is None else max_tokens
        while True:
            try:
                answer = self._exchange("POST", "/chat/completions", self._request(messages, limit))
            except CallFailed as failed:
                return failed.reply
            refused = unsupported_parameter(answer.status, answer.body)
            if refused not in _OPTIONAL or refused in self._unsupported:
                return reply_of(answer.status, answer.headers, answer.body, self._endpoint.model)
            self._unsupported |= {refused}

    def _request(self, messages: Sequence[Mapping[str, str]], limit: int) -> dict[str, object]:
        renamed = "max_tokens" in self._unsupported
        request: dict[str, object] = {
            "model": self._endpoint.model,
            "messages": list(messages),
            "max_completion_tokens" if renamed else "max_tokens": limit,
        }
        if "temperature" not in self._unsupported:
            request["temperature"] = self._endpoint.temperature
        return request

    def models(self) -> Reply | tuple[str, ...]:
        """Ask for the names of the endpoint's models, which costs nothing. A reply says why there are none."""
        try:
            answer = self._exchange("GET", "/models", None)
        except CallFailed as failed:
            return failed.reply
        if answer.status != httpx.codes.OK:
            return reply_of(answer.status, answer.headers, answer.body, self._endpoint.model)
        try:
            listed: Any = orjson.loads(answer.body)
            return tuple(str(model["id"]) for model in listed["data"])
        except (KeyError, TypeError, ValueError):
            return Reply(
                outcome=TeacherOutcome.NOT_JSON,
                reason="/models does not answer as OpenAI's API does; correct teacher.url",
            )

    def _exchange(self, method: str, path: str, request: Mapping[str, object] | None) -> HttpAnswer:
        """Send a request and read the whole answer, within bounds of size and time. Raises CallFailed."""
        deadline = time.monotonic() + self._endpoint.timeout_s
        key = self._key()
        try:
            with closing(self._client()) as client:
                answer = self._read(client, method, path, request, key, deadline)
        except BodyError as error:
            raise CallFailed(Reply(outcome=error.outcome, reason=str(error))) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise CallFailed(self._failure(error)) from error
        words = answer.body if key is None else answer.body.replace(key.encode(), b"***")
        return HttpAnswer(answer.status, answer.headers, words)

    def _read(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        request: Mapping[str, object] | None,
        key: str | None,
        deadline: float,
    ) -> HttpAnswer:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        content = None
        if request is not None:
            content, headers["Content-Type"] = orjson.dumps(request), "application/json"
        url = self._endpoint.url + path
        with client.stream(method, url, content=content, headers=headers) as response:
            body = BoundedBody(response.headers.get("content-encoding", ""))
            for chunk in response.iter_raw():
                body.add(chunk)
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("its answer is not whole")
            return HttpAnswer(response.status_code, response.headers, body.whole())

    def _client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=self._endpoint.cafile)
        timeout = httpx.Timeout(self._endpoint.timeout_s, connect=min(_CONNECT_S, self._endpoint.timeout_s))
        return httpx.Client(verify=context, trust_env=False, timeout=timeout, follow_redirects=False)

    def _key(self) -> str | None:
        try:
            key = self._endpoint.api_key()
        except DaemonError as error:
            reason = f"{error}; see teacher.api_key_file"
            raise CallFailed(Reply(outcome=TeacherOutcome.NO_KEY, reason=reason)) from error
        if key is not None and not (key.isascii() and key.isprintable()):
            reason = (
                "the key has characters that no header may have; correct the file of teacher.api_key_file"
            )
            raise CallFailed(Reply(outcome=TeacherOutcome.NO_KEY, reason=reason))
        return key

    def _failure(self, error: Exception) -> Reply:
        """Say why no whole answer came back, and what to do about it."""
        words = " ".join(str(error).split()) or type(error).__name__
        url = self._endpoint.url
        if isinstance(
            error, httpx.ConnectTimeout | httpx.ConnectError | httpx.InvalidURL | httpx.PoolTimeout
        ):
            return Reply(outcome=TeacherOutcome.UNREACHABLE, reason=f"{url}: {self._unreachable(words)}")
        if isinstance(error, httpx.TimeoutException):
            reason = f"{url} has not answered within {self._endpoint.timeout_s:g} s ({words}); raise teacher.timeout_s"
            return Reply(outcome=TeacherOutcome.TIMEOUT, reason=reason)
        if isinstance(error, httpx.HTTPError):
            reason = f"{url} broke off: {words}; it is tried again"
            return Reply(outcome=TeacherOutcome.BROKEN_OFF, reason=reason)
        return Reply(outcome=TeacherOutcome.UNREACHABLE, reason=f"{words}; check teacher.ca_file")

    def _unreachable(self, words: str) -> str:
        if "CERTIFICATE_VERIFY_FAILED" in words:
            if "mismatch" in words:
                return f"{words}; its certificate is for other names: correct teacher.url"
            known = f"in {self._endpoint.cafile}" if self._endpoint.cafile else "that this system trusts"
            return f"{words}; no authority {known} signed its certificate: set teacher.ca_file to the one that did"
        if "WRONG_VERSION_NUMBER" in words or "RECORD_LAYER_FAILURE" in words:
            return f"{words}; it does not speak TLS: correct the port or the scheme of teacher.url"
        if (
            "Name or service not known" in words
            or "No address associated" in words
            or "name resolution" in words
        ):
            return f"{words}; no such host: correct teacher.url, or mend the name resolution of this machine"
        return f"{words}; check teacher.url and that this machine reaches it"
