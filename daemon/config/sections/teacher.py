"""Settings of the section ``teacher``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from daemon.config.loopback import is_loopback
from daemon.config.mistakes import Disagreement, Problem
from daemon.config.sections.base import Positive, Section

_Price = Annotated[float, Field(ge=0, le=1e6)]
_OTHERS = ("model", "api_key_file", "ca_file", "money_a_day", "system_prompt")


class TeacherSection(Section):
    """A teacher: another model, behind any endpoint with OpenAI's API, that answers prompts which have no good answer yet, and
    may judge pairs of answers. What is sent to it leaves the house: stored conversations, with personal data redacted.
    """

    url: str | None = None
    """Base URL of the endpoint, such as https://api.example.com/v1: `/chat/completions` is added. Unset: no teacher."""
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Name of the model, as the endpoint has it."""
    api_key_file: Path | None = None
    """File that holds the API key. It is read for each call, so a rotated one needs no restart. Unset: none is sent."""
    ca_file: Path | None = None
    """PEM file of the authority that signed the endpoint's certificate. Unset: those that the system trusts."""
    allow_http: bool = False
    """Whether the URL may be http beyond this machine: anybody on the way reads conversations and key."""
    timeout_s: float = Field(60.0, gt=0, le=600)
    """Seconds that a call may take."""
    concurrency: int = Field(2, ge=1, le=16)
    """Most calls at a time."""
    calls_a_day: Positive = 200
    """Most calls in a day of UTC, failed ones included. Larger: more answers, and more to pay."""
    money_a_day: float | None = Field(None, gt=0)
    """Most that the calls of a day may cost, in the currency of the prices. A call that might exceed it is not made.
    Unset: calls_a_day alone limits."""
    price_per_million_input_tokens: _Price = 0.0
    """What a million tokens of prompts cost."""
    price_per_million_output_tokens: _Price = 0.0
    """What a million tokens of answers cost."""
    max_tokens: int = Field(512, ge=1, le=32_768)
    """Most tokens of an answer. An answer that is cut off is not learned."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Temperature of the answers."""
    system_prompt: Annotated[str, Field(max_length=16_000)] | None = None
    """Text before the conversation's own system prompt: what the teacher needs to know to answer well. The model that learns
    the answer does not see it."""
    answers: bool = True
    """Whether it answers prompts that have no good answer yet."""
    judges: bool = False
    """Whether it judges pairs of answers for the gate: two calls a pair."""

    @model_validator(mode="after")
    def _fields_agree(self) -> "TeacherSection":
        if problems := [Problem(text, (name,)) for name, text in self._mistakes()]:
            raise Disagreement(problems)
        return self

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        if self.url is None:
            if any(getattr(self, name) is not None for name in _OTHERS):
                yield "url", "set url, or leave the other fields out"
            return
        if problem := self._url_problem(self.url):
            yield "url", problem
        if self.model is None:
            yield "model", "name the model that the endpoint is to use"
        prices = self.price_per_million_input_tokens + self.price_per_million_output_tokens
        if self.money_a_day is not None and not prices:
            yield "money_a_day", "needs price_per_million_input_tokens and price_per_million_output_tokens"

    def _url_problem(self, url: str) -> str | None:
        """Return why a URL can't be asked; None if it can. No network is used. The URL may hold a secret: it is not quoted."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return "is not a URL"
        if parts.scheme not in ("https", "http") or not host or parts.query or parts.fragment:
            return "must be a URL such as https://api.example.com/v1"
        if "@" in parts.netloc:
            return "must hold no user and password: use api_key_file"
        if parts.path.rstrip("/").endswith("/chat/completions"):
            return "must be the base URL, without /chat/completions"
        if parts.scheme == "http" and not self.allow_http and not is_loopback(host):
            return (
                "must be https: over http anybody on the way reads conversations and key; or set allow_http"
            )
        return None
