"""Calls of a teacher against a server that keeps OpenAI's API, and against ones that do not."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.loader import read_secret
from daemon.domain.teaching import Reply, TeacherOutcome
from daemon.teaching.client import TeacherClient
from daemon.teaching.endpoint import Endpoint
from daemon.teaching.replies import reply_of, unsupported_parameter
from daemon.teaching.retry_after import MOST_S, retry_after_s
from tests.servers.openai_api import (
    Misbehave,
    Model,
    OpenAiServer,
    answering,
    chunked,
    closing_at_once,
    closing_half_way,
    completion,
    dripping,
    endless,
    hanging,
    refusing,
    sending,
    slow,
)
from tests.servers.tls import Pem

QUESTION = [{"role": "user", "content": "Where is the setting?"}]
HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def endpoint(model: Model) -> Iterator[Endpoint]:
    with OpenAiServer(model) as server:
        yield an_endpoint(server.url)


def an_endpoint(url: str, *, key: str | None = "k-secret", timeout_s: float = 10.0) -> Endpoint:
    return Endpoint(url=url, model="teacher-1", api_key=lambda: key, timeout_s=timeout_s, max_tokens=64)


def ask(endpoint: Endpoint) -> Reply:
    return TeacherClient(endpoint).ask(QUESTION)


def test_an_answer_comes_with_what_it_took(endpoint: Endpoint, model: Model) -> None:
    reply = ask(endpoint)

    assert reply == Reply(
        outcome=TeacherOutcome.ANSWERED,
        text="The answer to: Where is the setting?",
        input_tokens=20,
        output_tokens=10,
    )
    assert model.requests == [
        {"model": "teacher-1", "messages": QUESTION, "temperature": 0.0, "max_tokens": 64}
    ]


@pytest.mark.parametrize("well", [slow(0.2), chunked], ids=["slow", "chunked"])
def test_an_answer_may_be_slow_or_chunked(endpoint: Endpoint, model: Model, well: Misbehave) -> None:
    model.misbehaviour = [well]

    assert ask(endpoint).outcome is TeacherOutcome.ANSWERED


def test_an_answer_may_be_compressed_though_it_was_not_asked_for(endpoint: Endpoint, model: Model) -> None:
    body = gzip.compress(json.dumps(completion("fine")).encode())
    model.misbehaviour = [sending(body, Content_Encoding="gzip")]

    assert ask(endpoint).text == "fine"


def test_reasoning_in_front_of_an_answer_is_no_part_of_it(endpoint: Endpoint, model: Model) -> None:
    model.misbehaviour = [answering(completion("<think>\nhm\n</think>\n\nIn the file."))]

    assert ask(endpoint).text == "In the file."


@pytest.mark.parametrize(
    ("misbehave", "outcome", "words"),
    [
        (sending(b"not json"), TeacherOutcome.NOT_JSON, "correct teacher.url"),
        (sending(b""), TeacherOutcome.NOT_JSON, "correct teacher.url"),
        (sending(b"[1, 2]"), TeacherOutcome.NOT_AN_ANSWER, "no object"),
        (sending(b'"\xff\xfe"'), TeacherOutcome.NOT_JSON, "not JSON"),
        (sending(b"data: {}\n\n", content_type="text/event-stream"), TeacherOutcome.NOT_JSON, "not JSON"),
        (sending(HTML, content_type="text/html"), TeacherOutcome.HTML, "a proxy or a login"),
        (sending(HTML), TeacherOutcome.HTML, "a proxy or a login"),
        (sending(b"no gzip at all", Content_Encoding="gzip"), TeacherOutcome.NOT_JSON, "can't be decompressed"),
        (sending(b"x", Content_Encoding="br"), TeacherOutcome.NOT_JSON, "encoded as 'br'"),
        (sending(b" " * (3 << 20)), TeacherOutcome.TOO_LARGE, "more than 2 MiB"),
        (
            sending(gzip.compress(b" " * (64 << 20)), Content_Encoding="gzip"),
            TeacherOutcome.TOO_LARGE,
            "more than 2 MiB",
        ),
        (endless, TeacherOutcome.TOO_LARGE, "more than 2 MiB"),
        (answering({}), TeacherOutcome.NOT_AN_ANSWER, "no choices"),
        (answering({"choices": []}), TeacherOutcome.NOT_AN_ANSWER, "no choices"),
        (answering({"choices": ["yes"]}), TeacherOutcome.NOT_AN_ANSWER, "no choices"),
        (answering({"choices": [{"text": "old"}]}), TeacherOutcome.NOT_AN_ANSWER, "no message"),
        (answering(completion("")), TeacherOutcome.EMPTY, "empty"),
        (answering(completion("  \n")), TeacherOutcome.EMPTY, "empty"),
        (answering(completion(None)), TeacherOutcome.EMPTY, "empty"),
        (answering(completion("<think>hm")), TeacherOutcome.EMPTY, "empty"),
        (answering(completion(17)), TeacherOutcome.NOT_AN_ANSWER, "no text"),
        (answering(completion([{"type": "text", "text": "x"}])), TeacherOutcome.NOT_AN_ANSWER, "no text"),
        (answering(completion("a\0b")), TeacherOutcome.NOT_AN_ANSWER, "no text"),
        (answering(completion("half", finish_reason="length")), TeacherOutcome.CUT_OFF, "teacher.max_tokens"),
        (answering(completion("", finish_reason="content_filter")), TeacherOutcome.FILTERED, "content filter"),
        (answering(completion(None, finish_reason="tool_calls")), TeacherOutcome.NOT_AN_ANSWER, "tool_calls"),
        (
            answering(completion(None, message={"role": "assistant", "refusal": "I can't"})),
            TeacherOutcome.DECLINED,
            "refuses",
        ),
        (refusing(400, message="max_tokens is too large"), TeacherOutcome.REFUSED, "max_tokens is too large"),
        (refusing(403), TeacherOutcome.UNAUTHORIZED, "teacher.api_key_file"),
        (refusing(404), TeacherOutcome.NOT_FOUND, "check teacher.model (teacher-1) and teacher.url"),
        (refusing(500), TeacherOutcome.SERVER_ERROR, "answers 500"),
        (sending(HTML, status=502, content_type="text/html"), TeacherOutcome.SERVER_ERROR, "answers 502"),
        (refusing(429), TeacherOutcome.RATE_LIMITED, "too many calls"),
        (sending(b"", status=302, Location="http://elsewhere/"), TeacherOutcome.REDIRECTED, "not followed"),
        (closing_at_once, TeacherOutcome.BROKEN_OFF, "broke off"),
        (closing_half_way, TeacherOutcome.BROKEN_OFF, "broke off"),
    ],
)  # fmt: skip
def test_whatever_is_no_whole_answer_has_a_name_and_teaches_nothing(
    endpoint: Endpoint, model: Model, misbehave: Misbehave, outcome: TeacherOutcome, words: str
) -> None:
    model.misbehaviour = [misbehave]

    reply = ask(endpoint)

    assert (reply.outcome, reply.text) == (outcome, "")
    assert words in reply.reason


@pytest.mark.parametrize("misbehave", [hanging, dripping], ids=["hanging", "dripping"])
def test_a_call_ends_in_time(endpoint: Endpoint, model: Model, misbehave: Misbehave) -> None:
    model.misbehaviour = [misbehave]
    begin = time.monotonic()

    reply = ask(replace(endpoint, timeout_s=0.3))

    assert reply.outcome is TeacherOutcome.TIMEOUT
    assert "raise teacher.timeout_s" in reply.reason
    assert time.monotonic() - begin < 5


def test_tokens_of_an_answer_that_is_not_learned_are_counted_too(endpoint: Endpoint, model: Model) -> None:
    usage = {"usage": {"prompt_tokens": 7, "completion_tokens": 64}}
    model.misbehaviour = [answering(completion("half", finish_reason="length") | usage)]

    reply = ask(endpoint)

    assert (reply.input_tokens, reply.output_tokens) == (7, 64)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_a_usage_that_says_nothing_is_unknown(
    endpoint: Endpoint, model: Model, usage: dict[str, object] | None
) -> None:
    model.usage = usage

    reply = ask(endpoint)

    assert (reply.outcome, reply.input_tokens, reply.output_tokens) == (TeacherOutcome.ANSWERED, None, None)


def test_parameters_that_a_model_refuses_are_left_out_or_renamed_from_then_on(
    endpoint: Endpoint, model: Model
) -> None:
    def unsupported(param: str, code: str) -> Misbehave:
        return answering({"error": {"message": "no", "param": param, "code": code}}, status=400)

    model.misbehaviour = [
        unsupported("max_tokens", "unsupported_parameter"),
        unsupported("temperature", "unsupported_value"),
    ]
    client = TeacherClient(endpoint)

    assert client.ask(QUESTION).outcome is TeacherOutcome.ANSWERED
    assert client.ask(QUESTION).outcome is TeacherOutcome.ANSWERED

    assert len(model.requests) == 4
    assert model.requests[-1] == {"model": "teacher-1", "messages": QUESTION, "max_completion_tokens": 64}


def test_a_parameter_that_is_refused_again_and_again_is_a_refusal(endpoint: Endpoint, model: Model) -> None:
    error = {"error": {"message": "no", "param": "max_tokens", "code": "unsupported_parameter"}}
    model.misbehaviour, model.for_ever = [answering(error, status=400)], True

    assert ask(endpoint).outcome is TeacherOutcome.REFUSED
    assert len(model.requests) == 2


def test_an_error_with_status_200_is_an_error(endpoint: Endpoint, model: Model) -> None:
    model.misbehaviour = [answering({"error": {"message": "upstream is down", "code": 502}})]

    reply = ask(endpoint)

    assert reply.outcome is TeacherOutcome.SERVER_ERROR
    assert "upstream is down" in reply.reason


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3)
    | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "finish_reason", "usage", "error", "refusal", "code", "param"]),
        values,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    status=st.integers(200, 599),
    body=st.binary(max_size=40) | _JSON.map(lambda value: json.dumps(value).encode()),
    retry_after=st.none() | st.text(max_size=30),
)
def test_no_answer_breaks_the_caller(status: int, body: bytes, retry_after: str | None) -> None:
    headers = {} if retry_after is None else {"retry-after": retry_after}

    reply = reply_of(status, headers, body, "teacher-1")
    unsupported_parameter(status, body)

    assert (reply.outcome is TeacherOutcome.ANSWERED) == bool(reply.text)
    assert bool(reply.reason) != bool(reply.text)


def test_a_wrong_key_is_said_without_showing_it(endpoint: Endpoint) -> None:
    reply = ask(replace(endpoint, api_key=lambda: "k-wrong-key"))

    assert reply.outcome is TeacherOutcome.UNAUTHORIZED
    assert "Incorrect API key provided: Bearer ***" in reply.reason
    assert "k-wrong-key" not in repr(reply)


def test_a_wrong_model_is_said(endpoint: Endpoint) -> None:
    reply = ask(replace(endpoint, model="teacher-9"))

    assert reply.outcome is TeacherOutcome.NOT_FOUND
    assert "The model `teacher-9` does not exist" in reply.reason


def test_a_key_that_cannot_be_read_sends_nothing(endpoint: Endpoint, model: Model, tmp_path: Path) -> None:
    reply = ask(replace(endpoint, api_key=lambda: read_secret(None, tmp_path / "none")))

    assert reply.outcome is TeacherOutcome.NO_KEY
    assert "see teacher.api_key_file" in reply.reason
    assert model.paths == []


@pytest.mark.parametrize("key", ["k\nX: y", "schlüssel"])
def test_a_key_that_no_header_may_have_sends_nothing(endpoint: Endpoint, model: Model, key: str) -> None:
    reply = ask(replace(endpoint, api_key=lambda: key))

    assert reply.outcome is TeacherOutcome.NO_KEY
    assert model.paths == []


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (lambda: "7", 7),
        (lambda: "0", 0),
        (lambda: "1.5", 1.5),
        (lambda: "999999", MOST_S),
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True), 30),
        (lambda: format_datetime(datetime.now(UTC) - timedelta(days=30), usegmt=True), 0),
        (lambda: "soon", None),
        (lambda: "-5", None),
    ],
)
def test_an_endpoint_says_how_long_to_wait(
    endpoint: Endpoint, model: Model, asked: Callable[[], str], seconds: float | None
) -> None:
    model.misbehaviour = [refusing(429, Retry_After=asked())]

    reply = ask(endpoint)

    assert reply.retry_after_s == (seconds if seconds is None else pytest.approx(seconds, abs=2))


def test_a_date_of_another_zone_is_understood() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)

    assert retry_after_s("Mon, 30 Nov 2026 13:00:30 +0100", now) == 30


def test_an_address_where_nobody_listens_is_unreachable() -> None:
    reply = ask(an_endpoint("http://127.0.0.1:1/v1"))

    assert reply.outcome is TeacherOutcome.UNREACHABLE
    assert "check teacher.url and that this machine reaches it" in reply.reason


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    reply = ask(an_endpoint("https://no-such-host.invalid/v1"))

    assert reply.outcome is TeacherOutcome.UNREACHABLE
    assert "teacher.url" in reply.reason


def test_certificates_are_checked(model: Model, tmp_path: Path) -> None:
    known, stranger = Pem.made(tmp_path / "known", "127.0.0.1"), Pem.made(tmp_path / "other", "127.0.0.1")
    with OpenAiServer(model, tls=known) as server:
        endpoint = replace(an_endpoint(server.url), cafile=str(known.authority))
        trusted = ask(endpoint)
        wrong = ask(replace(endpoint, cafile=str(stranger.authority)))
        missing = ask(replace(endpoint, cafile=str(tmp_path / "none.pem")))

    assert trusted.outcome is TeacherOutcome.ANSWERED
    assert (wrong.outcome, missing.outcome) == (TeacherOutcome.UNREACHABLE, TeacherOutcome.UNREACHABLE)
    assert f"no authority in {stranger.authority} signed its certificate: set teacher.ca_file" in wrong.reason
    assert "check teacher.ca_file" in missing.reason


def test_a_port_without_tls_is_named(endpoint: Endpoint) -> None:
    reply = ask(replace(endpoint, url=endpoint.url.replace("http:", "https:")))

    assert reply.outcome is TeacherOutcome.UNREACHABLE
    assert "it does not speak TLS" in reply.reason


def test_the_models_cost_nothing_to_ask_for(endpoint: Endpoint, model: Model) -> None:
    assert TeacherClient(endpoint).models() == ("teacher-1",)
    assert model.requests == []


def test_models_that_are_no_list_are_no_models(endpoint: Endpoint, model: Model) -> None:
    model.misbehaviour = [answering({"data": "x"}), refusing(401), sending(HTML)]

    outcomes = [TeacherClient(endpoint).models() for _ in range(3)]

    assert [one.outcome for one in outcomes if isinstance(one, Reply)] == [
        TeacherOutcome.NOT_JSON,
        TeacherOutcome.UNAUTHORIZED,
        TeacherOutcome.NOT_JSON,
    ]


def test_calls_at_a_time_do_not_disturb_each_other(endpoint: Endpoint, model: Model) -> None:
    client, replies = TeacherClient(endpoint), dict[int, str]()

    def one(number: int) -> None:
        replies[number] = client.ask([{"role": "user", "content": f"q{number}"}]).text

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert replies == {number: f"The answer to: q{number}" for number in range(8)}
