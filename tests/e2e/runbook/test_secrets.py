"""The runbook's procedure that rotates secrets, under a running daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from daemon.demo.broker import LocalBroker
from tests.e2e.runbook.site import Site
from tests.e2e.runbook.steps import covers
from tests.servers.postgres_server import PostgresServer
from tests.servers.proxy import Proxy
from tests.servers.sasl import SaslGate
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def gate() -> SaslGate:
    return SaslGate("retuned", "the old one")


@pytest.fixture
def guarded(gate: SaslGate) -> Iterator[str]:
    """The address of a broker that asks for a password."""
    with Proxy(gate.serve) as proxy, LocalBroker(advertised=proxy.address) as broker:
        proxy.upstream = broker.port
        yield proxy.address


@pytest.fixture
def ledger(server: PostgresServer) -> Iterator[str]:
    """The URL of a database whose user has a password; it names no password and no file with one."""
    with server.database() as url:
        parsed = make_url(url)
        rules = Path(str(parsed.query["host"])) / "data" / "pg_hba.conf"
        rules.write_text(f"local all retuned scram-sha-256\n{rules.read_text()}")
        server.say("CREATE ROLE retuned LOGIN PASSWORD 'the old one'")
        server.say(f"ALTER DATABASE {parsed.database} OWNER TO retuned")
        server.say("SELECT pg_reload_conf()")
        yield parsed.set(username="retuned").render_as_string()
    server.say("DROP ROLE retuned")


@covers("Rotate secrets")
def test_rotate_secrets(
    guarded: str, gate: SaslGate, ledger: str, server: PostgresServer, tiny_model: Path, tmp_path: Path
) -> None:
    with Site(tmp_path / "site", broker=guarded, model=tiny_model) as site:
        etc, secrets = site.folder / "etc", site.folder / "secrets"
        secrets.mkdir()
        (etc / "kafka-password").write_text("the old one")
        (secrets / "new-kafka-password").write_text("the new one")
        private(etc / "pgpass", "*:*:*:retuned:the old one\n")
        private(secrets / "new-pgpass", "*:*:*:retuned:the new one\n")
        private(etc / "holdout.key", "k" * 32)
        site.exports(
            RETUNED_LEDGER_URL=f"{ledger}&passfile={etc / 'pgpass'}",
            RETUNED_HOLDOUT__KEY_FILE=str(etc / "holdout.key"),
            RETUNED_ARTIFACTS_URL=(site.state / "artifacts").as_uri(),
            RETUNED_KAFKA__SECURITY_PROTOCOL="SASL_PLAINTEXT",
            RETUNED_KAFKA__SASL_MECHANISM="PLAIN",
            RETUNED_KAFKA__SASL_USERNAME="retuned",
            RETUNED_KAFKA__SASL_PASSWORD_FILE=str(etc / "kafka-password"),
            ADMIN=f"host={make_url(ledger).query['host']} user=postgres dbname=postgres",
        )
        site.follows("Install")

        gate.password = "the new one"
        site.follows("Rotate secrets", 0)
        assert gate.attempts[-1] == ("PLAIN", "retuned", True)

        site.follows("Rotate secrets", 1)
        server.say("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'retuned'")
        eventually(site.ready, deadline_s=120)
        assert "the new one" not in (site.folder / "daemon.log").read_text("utf-8")
        site.types("systemctl stop retuned")


def private(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)
