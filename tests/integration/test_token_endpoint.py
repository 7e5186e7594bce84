"""A token endpoint over HTTP and TLS: what is asked, what is read from the answer, and how each refusal is named."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config.loader import Mistake, SettingsError
from daemon.kafka.oauth import ClientAuthentication, ClientCredentials, TokenError
from daemon.kafka.token_endpoint import fetch_token
from tests.servers.tls import Pem
from tests.servers.token_server import Answer, Issuer, TokenServer, as_json


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def server(issuer: Issuer) -> Iterator[TokenServer]:
    with TokenServer(issuer) as server:
        yield server


@pytest.fixture
def credentials(issuer: Issuer, server: TokenServer) -> ClientCredentials:
    return ClientCredentials(
        token_url=server.token_url, client_id=issuer.client_id, secret=lambda: issuer.secret
    )


def refusal(credentials: ClientCredentials) -> str:
    with pytest.raises(TokenError) as refused:
        fetch_token(credentials)
    return str(refused.value)


@pytest.mark.parametrize("authentication", ["basic", "post"])
def test_a_token_is_issued_to_the_right_client(
    credentials: ClientCredentials, issuer: Issuer, authentication: ClientAuthentication
) -> None:
    token = fetch_token(replace(credentials, authentication=authentication))

    assert token.value == issuer.tokens[-1]
    assert token.life_s == issuer.life_s


def test_scope_and_further_fields_are_asked_for(credentials: ClientCredentials, issuer: Issuer) -> None:
    fetch_token(replace(credentials, scope="kafka read", parameters={"audience": "kafka"}))

    assert issuer.requests[-1].form == {
        "grant_type": "client_credentials",
        "scope": "kafka read",
        "audience": "kafka",
    }


def test_the_secret_is_asked_for_anew_each_time(credentials: ClientCredentials, issuer: Issuer) -> None:
    fetch_token(credentials)
    issuer.secret = "rotated"
    fetch_token(credentials)

    assert [request.secret for request in issuer.requests] == ["s3cret/+ %", "rotated"]


@pytest.mark.parametrize(
    ("document", "life_s"),
    [
        ({"access_token": "t", "expires_in": 60}, 60),
        ({"access_token": "t", "expires_in": "60"}, 60),
        ({"access_token": "t", "expires_in": -1}, 300),
        ({"access_token": "t", "expires_in": True}, 300),
        ({"access_token": "a.eyJpYXQiOjEwMCwiZXhwIjoxNjB9.c"}, 60),
        ({"access_token": "a.b.c"}, 300),
    ],
)
def test_a_token_lives_as_long_as_its_issuer_says(
    credentials: ClientCredentials, issuer: Issuer, document: dict[str, object], life_s: float
) -> None:
    issuer.instead = lambda _: as_json(200, **document)

    assert fetch_token(credentials).life_s == life_s


REFUSALS: list[tuple[Answer, str]] = [
    (as_json(401, error="invalid_client"), "answers 401 invalid_client: check kafka.oauth_client_id (retuned), its secret"),
    (as_json(400, error="invalid_client"), "answers 400 invalid_client: check kafka.oauth_client_id"),
    ((401, {}, b"<html>"), "answers 401: check kafka.oauth_client_id"),
    (as_json(400, error="invalid_scope", error_description="no such"), "400 invalid_scope: no such: check kafka.oauth_scope"),
    (as_json(400, error="invalid_target"), "400 invalid_target: check kafka.oauth_scope and kafka.oauth_extra"),
    (as_json(400, error=["odd"]), "answers 400 ['odd']"),
    ((404, {}, b""), "answers 404: set kafka.oauth_token_url to the token endpoint"),
    ((503, {}, b"down"), "answers 503; it is tried again"),
    ((302, {"Location": "https://elsewhere.test/x"}, b""), "redirects to elsewhere.test, which is not followed: set kafka.oauth_"),
    ((307, {"Location": "/login"}, b""), "redirects to another path, which is not followed"),
    ((200, {}, b"<html>"), "answers without a usable access_token: set kafka.oauth_token_url"),
    ((200, {}, b"[]"), "answers without a usable access_token"),
    (as_json(200, id_token="t"), "answers without a usable access_token"),
    (as_json(200, access_token=7), "answers without a usable access_token"),
    (as_json(200, access_token="two words"), "answers without a usable access_token"),
    ((200, {}, b" " * (1 << 19)), "its answer is longer than an OAuth server's"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), REFUSALS)
def test_a_refusal_names_endpoint_cause_and_remedy(
    credentials: ClientCredentials, issuer: Issuer, answer: Answer, words: str
) -> None:
    issuer.instead = lambda _: answer

    said = refusal(credentials)

    assert said.startswith(credentials.token_url)
    assert words in said


def test_a_wrong_secret_is_named_and_not_shown(credentials: ClientCredentials) -> None:
    said = refusal(replace(credentials, secret=lambda: "hunter2"))

    assert (
        "answers 401 invalid_client: no such client, or another secret: check kafka.oauth_client_id" in said
    )
    assert "hunter2" not in said


def test_an_endpoint_that_repeats_the_secret_is_not_quoted(
    credentials: ClientCredentials, issuer: Issuer
) -> None:
    issuer.instead = lambda request: as_json(400, error="bad", error_description=f"{request.secret}\x1b[2J")

    said = refusal(credentials)

    assert issuer.secret not in said
    assert "answers 400 bad: *** [2J" in said


def test_an_answer_is_not_kept_by_the_error(credentials: ClientCredentials, issuer: Issuer) -> None:
    issuer.instead = lambda _: (200, {}, b'{"access_token": "t0ken",')

    with pytest.raises(TokenError) as refused:
        fetch_token(credentials)

    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_an_endpoint_that_nobody_listens_at_is_named(credentials: ClientCredentials) -> None:
    said = refusal(replace(credentials, token_url="http://127.0.0.1:1/token"))

    assert said.startswith("http://127.0.0.1:1/token: ")
    assert said.endswith("check kafka.oauth_token_url and that this machine reaches it")


def test_an_answer_that_drips_is_given_up(
    credentials: ClientCredentials, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.kafka.token_endpoint._ANSWER_S", -1.0)
    start = time.monotonic()

    assert "its answer takes longer than" in refusal(credentials)
    assert time.monotonic() - start < 5


def test_a_secret_that_can_not_be_read_is_named(credentials: ClientCredentials) -> None:
    def unreadable() -> str:
        raise SettingsError((Mistake(path="", problem="the secret is empty", source="/run/secret"),))

    said = refusal(replace(credentials, secret=unreadable))

    assert said == (
        "no token was requested: /run/secret: the secret is empty; see kafka.oauth_client_secret_file"
    )


def test_proxies_of_the_environment_are_not_used(
    credentials: ClientCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert fetch_token(credentials).value


def test_certificates_are_checked(issuer: Issuer, tmp_path: Path) -> None:
    known, stranger = Pem.made(tmp_path / "known", "127.0.0.1"), Pem.made(tmp_path / "other", "127.0.0.1")
    elsewhere = Pem.made(tmp_path / "elsewhere", "login.test")
    with TokenServer(issuer, tls=known) as server:
        credentials = ClientCredentials(
            token_url=server.token_url,
            client_id=issuer.client_id,
            secret=lambda: issuer.secret,
            cafile=str(known.authority),
        )
        assert fetch_token(credentials).value == issuer.tokens[-1]
        wrong = refusal(replace(credentials, cafile=str(stranger.authority)))
        none = refusal(replace(credentials, cafile=None))
        gone = refusal(replace(credentials, cafile=str(tmp_path / "none.pem")))
    with TokenServer(issuer, tls=elsewhere) as server:
        other = refusal(replace(credentials, token_url=server.token_url, cafile=str(elsewhere.authority)))

    assert f"no authority in {stranger.authority} signed its certificate: set kafka.oauth_cafile" in wrong
    assert "no authority that this system trusts signed its certificate" in none
    assert gone.endswith("No such file or directory; check kafka.oauth_cafile")
    assert "its certificate is for other names: correct kafka.oauth_token_url" in other
