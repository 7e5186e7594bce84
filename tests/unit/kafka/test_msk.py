"""AWS_MSK_IAM: what is signed, compared with botocore's own signer, and what is said when something is missing."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore import auth as botocore_auth
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from daemon.config.loader import SettingsError
from daemon.kafka.library import SaslMechanismAwsMskIam
from daemon.kafka.login import LoginError, login_words
from daemon.kafka.msk import MskIam, region_of
from daemon.kafka.refusals import explain
from daemon.kafka.rights import grant_command, least_rights
from daemon.kafka.sasl import sasl_options
from daemon.runtime.kafka_settings import load_kafka_settings
from tests.factories.daemon import line_settings

HOST = "b-1.chats.a1b2c3.c4.kafka.eu-west-1.amazonaws.com"
NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
MSK = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "AWS_MSK_IAM",
    "bootstrap_servers": [f"{HOST}:9098"],
}


class Clock(datetime):
    """A clock that stands still, for both signers."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return NOW if tz else NOW.replace(tzinfo=None)

    @classmethod
    def utcnow(cls) -> datetime:  # type: ignore[override]
        return NOW.replace(tzinfo=None)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither its AWS settings nor its metadata service."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr("kafka.net.sasl.msk.datetime.datetime", Clock)
    monkeypatch.setattr(
        botocore_auth, "get_current_datetime", lambda remove_tzinfo=True: Clock.now(not remove_tzinfo or None)
    )


def credentials(monkeypatch: pytest.MonkeyPatch, *, session_token: str | None = None) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    if session_token is not None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)


def payload(host: str = HOST) -> dict[str, str]:
    found: dict[str, str] = json.loads(MskIam(host=host, security_protocol="SASL_SSL").auth_bytes())
    return found


def by_botocore(region: str, session_token: str | None) -> dict[str, str]:
    """What botocore presigns for the same call."""
    request = AWSRequest(
        method="GET",
        url=f"https://{HOST}/",
        params={"Action": "kafka-cluster:Connect"},
        headers={"host": HOST},
    )
    found = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session_token)
    SigV4QueryAuth(found, "kafka-cluster", region, expires=900).add_auth(request)
    return {name.lower(): value for name, value in parse_qsl(urlsplit(request.url).query)}


@pytest.mark.parametrize("session_token", [None, "FwoGZXIvYXdz+EXAMPLE/token=="])
def test_what_is_signed_is_what_botocore_signs(
    monkeypatch: pytest.MonkeyPatch, session_token: str | None
) -> None:
    credentials(monkeypatch, session_token=session_token)

    sent = payload()

    assert sent.pop("version") == "2020_10_22"
    assert sent.pop("host") == HOST
    assert sent.pop("user-agent")
    assert sent == by_botocore("eu-west-1", session_token)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-west-1"),
        ("boot-a1b2.c3.kafka-serverless.us-east-1.amazonaws.com", "us-east-1"),
        ("b-2-public.chats.a1b2c3.c4.kafka.ap-southeast-2.amazonaws.com", "ap-southeast-2"),
        ("b-1.chats.a1b2c3.c4.kafka.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("kafka.example.com", None),
        ("b-1.kafka.eu-west-1.amazonaws.com.example.com", None),
    ],
)
def test_the_region_is_in_the_broker_s_name(host: str, region: str | None) -> None:
    assert region_of(host) == region


def test_a_broker_of_another_name_needs_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)

    with pytest.raises(LoginError, match=r"region of kafka\.example is unknown: .* set AWS_DEFAULT_REGION"):
        payload("kafka.example")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")

    assert "/us-west-2/kafka-cluster/" in payload("kafka.example")["x-amz-credential"]


def test_no_credentials_are_named_with_what_gives_some() -> None:
    with pytest.raises(
        LoginError, match="finds no AWS credentials: give the process a role, or set AWS_PROFILE"
    ):
        payload()


def test_credentials_that_can_not_be_used_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "none")

    with pytest.raises(LoginError, match=r"AWS credentials can't be used: .*\(none\)"):
        payload()


def test_a_missing_package_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)

    with pytest.raises(
        SettingsError, match=r"AWS_MSK_IAM needs the package botocore: pip install 'retuned\[msk\]'"
    ):
        load_kafka_settings(line_settings(tmp_path, kafka=MSK))


def test_the_client_uses_it(tmp_path: Path) -> None:
    from kafka.net.sasl import get_sasl_mechanism  # type: ignore[import-untyped]

    sasl_options(load_kafka_settings(line_settings(tmp_path, kafka=MSK)))

    assert get_sasl_mechanism("AWS_MSK_IAM") is MskIam
    assert issubclass(MskIam, SaslMechanismAwsMskIam)


def test_a_refusal_names_the_right_that_is_needed(tmp_path: Path) -> None:
    settings = load_kafka_settings(line_settings(tmp_path, kafka=MSK))

    said = explain(Exception("SaslAuthenticationFailedError: Access denied"), settings)

    assert (
        "refuses the AWS identity of this process by AWS_MSK_IAM: check that its policy allows kafka-cluster:Connect"
        in said
    )
    assert login_words(settings) == " as the AWS identity of this process by AWS_MSK_IAM"


def test_rights_are_granted_by_a_policy(tmp_path: Path) -> None:
    settings = load_kafka_settings(line_settings(tmp_path, kafka=MSK))

    granted = [grant_command(right, settings) for right in least_rights(settings)]

    assert granted == [
        "allow kafka-cluster:DescribeTopic and kafka-cluster:ReadData in the IAM policy, on the topic conversations",
        "allow kafka-cluster:DescribeGroup and kafka-cluster:AlterGroup in the IAM policy, on the group retuned",
        "allow kafka-cluster:DescribeTopic and kafka-cluster:WriteData in the IAM policy, on the topic conversations.dead",
    ]


def test_what_is_missing_is_said_as_it_is(tmp_path: Path) -> None:
    settings = load_kafka_settings(line_settings(tmp_path, kafka=MSK))

    assert (
        explain(LoginError("botocore finds no AWS credentials"), settings)
        == "botocore finds no AWS credentials"
    )
