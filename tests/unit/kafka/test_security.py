"""TLS and SASL in the settings: what is refused before anything is connected, and what reaches the client."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from daemon.config.loader import SettingsError, dump
from daemon.config.settings import KafkaSection, Settings
from daemon.kafka.refusals import explain
from daemon.runtime.kafka_settings import load_kafka_settings
from tests.factories.cli import typed
from tests.factories.daemon import line_settings
from tests.factories.intake import a_record, as_bytes
from tests.factories.intake import kafka_settings as quick_settings
from tests.servers.tls import Pem

SASL = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "hush"}
OAUTH = {
    "sasl_mechanism": "OAUTHBEARER", "oauth_token_url": "https://login.test/token", "oauth_client_id": "c",
    "oauth_client_secret": "hush",
}  # fmt: skip


@pytest.mark.parametrize(
    ("kafka", "mistakes"),
    [
        (
            {"security_protocol": "SASL_SSL"},
            ["SASL_SSL needs sasl_mechanism, sasl_username, sasl_password_file (or sasl_password)"],
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_password": "p"},
            ["SASL_PLAINTEXT needs sasl_username"],
        ),
        (SASL, ["security_protocol PLAINTEXT uses no SASL settings: set it to SASL_SSL or SASL_PLAINTEXT"]),
        ({**SASL, "security_protocol": "SSL"}, ["security_protocol SSL uses no SASL settings: set it to SASL_SSL,"]),
        ({"ssl_cafile": "/ca.pem"}, ["PLAINTEXT uses no TLS: set it to SSL or SASL_SSL, or leave ssl_cafile out"]),
        ({"security_protocol": "SSL", "ssl_keyfile": "/k.pem"}, ["ssl_keyfile needs ssl_certfile"]),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
            ["SASL_SSL needs oauth_token_url, oauth_client_id, oauth_client_secret_file (or oauth_client_secret)"],
        ),
        (
            {"security_protocol": "SASL_SSL", "oauth_token_url": "https://a/t", "oauth_client_id": "c"},
            ["SASL_SSL needs sasl_mechanism, oauth_client_secret_file (or oauth_client_secret)"],
        ),
        (OAUTH, ["security_protocol PLAINTEXT uses no SASL settings"]),
        (
            {**OAUTH, "security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password": "p"},
            ["OAUTHBEARER does not use sasl_username, sasl_password_file (or sasl_password): set it to PLAIN or a SCRAM"],
        ),
        (
            {**SASL, "security_protocol": "SASL_SSL", "oauth_scope": "s", "oauth_cafile": "/ca.pem"},
            ["sasl_mechanism PLAIN does not use oauth_scope, oauth_cafile: set it to OAUTHBEARER, or leave them out"],
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "AWS_MSK_IAM", "sasl_username": "u"},
            ["AWS_MSK_IAM does not use sasl_username", "AWS_MSK_IAM needs security_protocol SASL_SSL"],
        ),
        (
            {**OAUTH, "security_protocol": "SASL_SSL", "oauth_extra": {"scope": "s", "client_secret": "hush"}},
            ["oauth_extra can't hold client_secret, scope: use the settings for them"],
        ),
        (
            {**OAUTH, "security_protocol": "SASL_SSL", "oauth_extensions": {"auth": "x", "pool_id": "x", "pool": "日"}},
            ["oauth_extensions.auth can't be sent", "oauth_extensions.pool_id can't", "oauth_extensions.pool can't"],
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", "ssl_keyfile": "/k.pem", "heartbeat_interval_ms": 9_999},
            ["SASL_PLAINTEXT needs sasl_mech", "uses no TLS", "needs ssl_certfile", "a third of session_timeout"],
        ),
    ],
)  # fmt: skip
def test_every_mistake_of_a_bad_combination_is_named(kafka: dict[str, object], mistakes: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        KafkaSection.model_validate(kafka)

    assert [mistake for mistake in mistakes if mistake not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://login.test/token", "oauth_token_url: must be https"),
        ("http://127.0.0.1.evil.test/token", "oauth_token_url: must be https"),
        ("http://localhost@login.test/token", "must hold no user and password"),
        ("https://u:hunter2@login.test/token", "must hold no user and password"),
        ("ftp://login.test/token", "must be a URL such as https://"),
        ("login.test/token", "must be a URL such as https://"),
        ("https://", "must be a URL such as https://"),
        ("https://[::1/token", "is not a URL"),
        ("https://login.test:port/token", "is not a URL"),
    ],
)
def test_a_token_endpoint_that_must_not_be_asked_is_refused_by_config_check(
    tmp_path: Path, url: str, problem: str
) -> None:
    config = tmp_path / "retuned.yaml"
    config.write_text(
        "model: {base: b}\nkafka:\n  security_protocol: SASL_SSL\n  sasl_mechanism: OAUTHBEARER\n"
        f"  oauth_token_url: '{url}'\n  oauth_client_id: c\n  oauth_client_secret: hush\n",
        encoding="utf-8",
    )

    answer = typed("--config", str(config), "config", "check")

    assert answer.exit_code == 2
    assert problem in " ".join(answer.stderr.split())
    assert "hunter2" not in answer.stderr


@pytest.mark.parametrize(
    "url", ["https://a/t", "http://127.0.0.1:8/t", "http://localhost/t", "http://[::1]/t", "HTTPS://a/t"]
)
def test_a_token_endpoint_is_asked_over_tls_or_on_this_machine(url: str) -> None:
    KafkaSection.model_validate({**OAUTH, "security_protocol": "SASL_SSL", "oauth_token_url": url})


def test_a_secret_that_is_rotated_in_its_file_is_used(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first\n", encoding="utf-8")
    kafka = {
        **OAUTH,
        "oauth_client_secret": None,
        "oauth_client_secret_file": secret,
        "security_protocol": "SASL_SSL",
    }

    settings = load_kafka_settings(line_settings(tmp_path, kafka=kafka))

    assert settings.oauth is not None
    credentials = settings.oauth._renewal._credentials
    assert credentials.secret() == "first"
    secret.write_text("second\n", encoding="utf-8")
    assert credentials.secret() == "second"


def test_an_oauth_secret_that_is_not_there_is_named_before_the_start(tmp_path: Path) -> None:
    kafka = {
        **OAUTH,
        "oauth_client_secret": None,
        "oauth_client_secret_file": tmp_path / "none",
        "oauth_cafile": tmp_path / "ca",
    }
    settings = line_settings(tmp_path, kafka={**kafka, "security_protocol": "SASL_SSL"})

    [cafile] = mistakes_of(settings)
    (tmp_path / "ca").write_bytes(Pem.made(tmp_path / "made", "x").authority.read_bytes())
    [secret] = mistakes_of(settings)

    assert "kafka.oauth_cafile: can't be read" in cafile
    assert f"{tmp_path}/none: the secret can't be read" in secret


def test_no_secret_shows_in_the_settings(tmp_path: Path) -> None:
    kafka = {**OAUTH, "security_protocol": "SASL_SSL"}
    settings = line_settings(tmp_path, kafka=kafka)

    assert "hush" not in repr(settings) + dump(settings) + repr(load_kafka_settings(settings))


@pytest.mark.parametrize("mechanism", ["GSSAPI", "plain", "SCRAM-SHA-1"])
def test_a_mechanism_that_is_not_supported_is_refused_with_those_that_are(mechanism: str) -> None:
    with pytest.raises(ValidationError, match="'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', "):
        KafkaSection.model_validate({**SASL, "security_protocol": "SASL_SSL", "sasl_mechanism": mechanism})


@pytest.mark.parametrize(
    ("written", "meant"), [("2.3", (2, 3)), (2.3, (2, 3)), ("3.10", (3, 10)), (None, None)]
)
def test_a_protocol_version_may_be_written_as_a_number(
    tmp_path: Path, written: object, meant: object
) -> None:
    assert load_kafka_settings(line_settings(tmp_path, kafka={"api_version": written})).api_version == meant


@pytest.mark.parametrize("written", ["0.10", "newest", "4", "2.3.1"])
def test_a_protocol_version_that_can_not_be_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        KafkaSection.model_validate({"api_version": written})


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    return Pem.made(tmp_path_factory.mktemp("pem") / "one", "retuned")


def with_files(folder: Path, **files: Path) -> Settings:
    return line_settings(folder, kafka={"security_protocol": "SSL", **files})


def mistakes_of(settings: Settings) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_kafka_settings(settings)
    return [str(mistake) for mistake in refused.value.mistakes]


def test_good_files_are_handed_on(tmp_path: Path, pem: Pem) -> None:
    files = {"ssl_cafile": pem.authority, "ssl_certfile": pem.certificate, "ssl_keyfile": pem.key}

    kafka = load_kafka_settings(with_files(tmp_path, **files))

    assert (kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile) == tuple(map(str, files.values()))


def test_every_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}

    assert mistakes_of(with_files(tmp_path, **files)) == [
        f"{path}: kafka.{name}: can't be read: No such file or directory; check the path"
        for name, path in files.items()
    ]


@pytest.mark.parametrize("command", [["run"], ["replay", "talks.jsonl"]])
def test_a_command_that_needs_a_file_names_it_and_starts_nothing(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "talks.jsonl").write_bytes(as_bytes(a_record()))
    config = tmp_path / "retuned.yaml"
    config.write_text(dump(with_files(tmp_path, ssl_cafile=tmp_path / "none.pem")), encoding="utf-8")
    words = [str(tmp_path / word) if word.endswith("jsonl") else word for word in command]

    answer = typed("--config", str(config), *words)

    assert answer.exit_code == 2
    assert f"{tmp_path}/none.pem: kafka.ssl_cafile: can't be read" in answer.stderr
    assert not (tmp_path / "state").exists()


def test_a_file_without_a_certificate_is_no_authority(tmp_path: Path, pem: Pem) -> None:
    [mistake] = mistakes_of(with_files(tmp_path, ssl_cafile=pem.key))

    assert f"{pem.key}: kafka.ssl_cafile: holds no certificate" in mistake


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, pem: Pem) -> None:
    other = Pem.made(tmp_path / "other", "other")

    [mistake] = mistakes_of(with_files(tmp_path, ssl_certfile=pem.certificate, ssl_keyfile=other.key))

    assert f"kafka.ssl_keyfile: is not the key of the certificate in {pem.certificate}" in mistake


def test_certificate_and_key_that_were_swapped_are_told(tmp_path: Path, pem: Pem) -> None:
    [mistake] = mistakes_of(with_files(tmp_path, ssl_certfile=pem.key, ssl_keyfile=pem.certificate))

    assert f"{pem.key}: kafka.ssl_certfile: holds no certificate" in mistake


def test_a_certificate_without_its_key_is_told(tmp_path: Path, pem: Pem) -> None:
    [mistake] = mistakes_of(with_files(tmp_path, ssl_certfile=pem.certificate))

    assert "kafka.ssl_certfile: holds no private key" in mistake


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path: Path, pem: Pem) -> None:
    locked = tmp_path / "locked.pem"
    key = serialization.load_pem_private_key(pem.key.read_bytes(), password=None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hush"),
        )
    )

    [mistake] = mistakes_of(with_files(tmp_path, ssl_certfile=pem.certificate, ssl_keyfile=locked))

    assert "kafka.ssl_keyfile: is protected by a password" in mistake
    assert f"openssl pkey -in {locked}" in mistake


def test_an_empty_password_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n", encoding="utf-8")
    sasl = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password_file": tmp_path / "password"}

    assert mistakes_of(line_settings(tmp_path, kafka={**sasl, "security_protocol": "SASL_SSL"})) == [
        f"{tmp_path}/password: the secret is empty"
    ]


def test_what_nobody_foresaw_is_said_as_it_is_with_the_usual_advice() -> None:
    explanation = explain(OSError("the sky fell"), quick_settings("b:1", "t"))

    assert explanation == "the sky fell; check the address and that the broker runs"


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired", "has to be renewed"),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version", "no TLS of version 1.2 or newer"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure", "asks for a client certificate"),
        ("Connection reset by peer", "may want a client certificate"),
    ],
)  # fmt: skip
def test_what_a_broker_says_about_tls_is_told_apart(error: str, meant: str) -> None:
    settings = replace(quick_settings("b:1", "t"), security_protocol="SSL")

    assert meant in explain(OSError(error), settings)
