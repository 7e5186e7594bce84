"""Secrets that are refused, or of servers that are away: none is in what the daemon and doctor say, at level DEBUG too."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.daemon_process import free_port
from tests.servers.brokers import Broker

pytestmark = pytest.mark.timeout(240)

SECRET = "xqzsecret"
SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_username": "ann"}
OAUTH = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER", "oauth_client_id": "ann"}


def words(folder: Path, model: Path, environ: dict[str, str], **sections: Any) -> str:
    """What a daemon that runs for a while says, and what doctor and `config show` say of it."""
    file = folder / "retuned.yaml"
    settings = {
        "model": {"base": str(model)},
        "state_dir": str(folder / "state"),
        "http": {"port": free_port()},
        "logging": {"level": "DEBUG"},
        **sections,
    }
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    said = ""
    for command in (["run"], ["--debug", "doctor", "--json"], ["config", "show"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", "--config", str(file), *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environ},
        )  # fmt: skip
        try:
            said += process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            process.terminate()
            said += process.communicate(timeout=30)[0]
    return said


def kafka(broker: str, **settings: object) -> dict[str, object]:
    return {"kafka": {"bootstrap_servers": [broker], **settings}}


@pytest.mark.parametrize("where", ["setting", "file", "environment"])
def test_a_password_for_kafka_is_nowhere(
    broker: Broker, tiny_model: Path, tmp_path: Path, where: str
) -> None:
    secret, environ = tmp_path / "password", {}
    secret.write_text(SECRET, encoding="utf-8")
    given: dict[str, object] = {"sasl_password": SECRET}
    if where == "file":
        given = {"sasl_password_file": str(secret)}
    elif where == "environment":
        given, environ = {}, {"RETUNED_KAFKA__SASL_PASSWORD": SECRET}
    said = words(tmp_path, tiny_model, environ, **kafka(broker.bootstrap, **SASL, **given))

    assert "ann" in said
    assert SECRET not in said


def test_the_secret_of_an_oauth_client_is_nowhere(broker: Broker, tiny_model: Path, tmp_path: Path) -> None:
    given = {"oauth_token_url": "http://127.0.0.1:1/token", "oauth_client_secret": SECRET}
    said = words(tmp_path, tiny_model, {}, **kafka(broker.bootstrap, **OAUTH, **given))

    assert "127.0.0.1:1" in said
    assert SECRET not in said


def test_the_password_of_a_ledger_is_nowhere(broker: Broker, tiny_model: Path, tmp_path: Path) -> None:
    key = tmp_path / "holdout.key"
    key.write_text("k" * 64, encoding="utf-8")
    key.chmod(0o600)
    said = words(
        tmp_path, tiny_model, {}, **kafka(broker.bootstrap),
        ledger_url=f"postgresql://ann:{SECRET}@127.0.0.1:1/retuned", holdout={"key_file": str(key)},
        artifacts_url=str(tmp_path / "artifacts"),
    )  # fmt: skip

    assert "127.0.0.1:1" in said
    assert SECRET not in said


def test_the_keys_of_a_bucket_are_nowhere(broker: Broker, tiny_model: Path, tmp_path: Path) -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }  # fmt: skip
    said = words(
        tmp_path, tiny_model, environ, **kafka(broker.bootstrap), artifacts_url="s3://models/retuned"
    )

    assert "s3://models/retuned" in said
    assert SECRET not in said
