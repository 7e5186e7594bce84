"""A token that is kept fresh: when it is fetched, how long it serves, and what is said when none comes."""

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from daemon.kafka.oauth import ClientCredentials, OAuthTokens, Token, TokenError
from tests.support.helpers import eventually

ROOT = Path(__file__).parents[3]
CREDENTIALS = ClientCredentials(
    token_url="https://login.test/token", client_id="retuned", secret=lambda: "hush"
)


class Endpoint:
    """A token endpoint: each token is its number. It can fail, and it can hang."""

    def __init__(self, life_s: float = 3_600) -> None:
        self.life_s = life_s
        self.broken = False
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()
        self._numbers = count(1)

    def __call__(self, credentials: ClientCredentials) -> Token:
        self.asked += 1
        assert self.answers.wait(10)
        if self.broken:
            raise TokenError(f"{credentials.token_url} answers 503; it is tried again")
        return Token(value=f"t{next(self._numbers)}", life_s=self.life_s)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.answers.set()
    gc.collect()
    eventually(lambda: not renewing())


def renewing() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "kafka-tokens"]


def tokens_of(endpoint: Endpoint, *, wait_s: float = 2.0) -> OAuthTokens:
    return OAuthTokens(CREDENTIALS, fetch=endpoint, wait_s=wait_s)


def test_nothing_is_fetched_before_a_token_is_needed(endpoint: Endpoint) -> None:
    tokens_of(endpoint)

    assert (endpoint.asked, renewing()) == (0, [])


def test_clients_share_one_token(endpoint: Endpoint) -> None:
    tokens = tokens_of(endpoint)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(tokens.token())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert (found, endpoint.asked) == (["t1"] * 8, 1)


def test_a_token_is_renewed_before_it_ends(endpoint: Endpoint) -> None:
    endpoint.life_s = 0.5
    tokens = tokens_of(endpoint, wait_s=0)
    eventually(valid_of(tokens))

    seen: set[str] = set()
    while len(seen) < 3:
        seen.add(tokens.token())  # never without one

    assert seen == {"t1", "t2", "t3"}


def test_the_old_token_serves_while_its_renewal_fails(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.life_s = 2.0
    tokens = tokens_of(endpoint)
    assert tokens.token() == "t1"
    endpoint.broken = True
    eventually(lambda: endpoint.asked == 2)

    assert tokens.token() == "t1"
    said = "fetching a token for Kafka fails and is tried again: https://login.test/token"
    eventually(lambda: said in caplog.text)


def test_after_its_end_the_failure_is_told_at_once_and_a_later_attempt_helps(endpoint: Endpoint) -> None:
    endpoint.broken = True
    tokens = tokens_of(endpoint)

    for _ in range(3):
        with pytest.raises(TokenError, match=r"^https://login\.test/token answers 503; it is tried again$"):
            tokens.token()
    assert endpoint.asked == 1  # the rest waits for the backoff
    endpoint.broken = False

    assert eventually(valid_of(tokens)) == "t1"


def test_an_endpoint_that_hangs_does_not_hold_the_client_up(endpoint: Endpoint) -> None:
    endpoint.answers.clear()
    tokens = tokens_of(endpoint, wait_s=0.05)

    with pytest.raises(TokenError, match=r"https://login\.test/token has not answered within 0\.05 s"):
        tokens.token()
    endpoint.answers.set()

    assert eventually(valid_of(tokens)) == "t1"
    assert endpoint.asked == 1


def test_the_thread_ends_with_the_last_holder(endpoint: Endpoint) -> None:
    tokens = tokens_of(endpoint)
    tokens.token()
    assert renewing() != []

    del tokens
    gc.collect()

    eventually(lambda: not renewing())


def valid_of(tokens: OAuthTokens) -> Callable[[], str | None]:
    def newest() -> str | None:
        try:
            return tokens.token()
        except TokenError:
            return None

    return newest


@pytest.mark.parametrize("value", ["", "two words", "x\x01auth=Bearer y", "ümlaut", "t=ail"])
def test_a_token_that_could_break_the_message_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="no bearer token") as refused:
        Token(value=value, life_s=1)

    assert value not in str(refused.value) or not value


def test_the_http_client_is_loaded_only_for_a_token() -> None:
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "import daemon.kafka, daemon.runtime.kafka_settings; print({'httpx', 'botocore'} & set(sys.modules))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "set()\n"


def test_neither_secret_nor_token_shows() -> None:
    token = Token(value="t0ken", life_s=60)
    credentials = ClientCredentials(
        token_url="u", client_id="c", secret=lambda: "hush", parameters={"assertion": "hush"}
    )

    assert "hush" not in repr((credentials, OAuthTokens(credentials)))
    assert "t0ken" not in repr(token)


def test_it_says_how_long_the_token_is_valid_and_for_how_long_none_comes(endpoint: Endpoint) -> None:
    tokens = tokens_of(endpoint)
    assert (tokens.seconds_left, tokens.failing_for_s) == (None, None)

    endpoint.broken = True
    with pytest.raises(TokenError):
        tokens.token()
    failing = tokens.failing_for_s
    assert failing is not None
    assert eventually(lambda: (tokens.failing_for_s or 0.0) > failing)

    endpoint.broken = False
    assert eventually(lambda: tokens.failing_for_s is None)
    left = tokens.seconds_left
    assert left is not None
    assert 3_500 < left <= 3_600
