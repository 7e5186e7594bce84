"""The settings files on the page about managed Kafka are ones."""

import re
from pathlib import Path

import pytest

from daemon.config.loader import load

PAGE = (Path(__file__).parents[3] / "deploy" / "docs" / "managed-kafka.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_settings_file_of_the_page_has_no_mistake(tmp_path: Path, number: int) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text(BLOCKS[number], encoding="utf-8")

    kafka = load(file, {}).kafka

    assert kafka.security_protocol in ("SSL", "SASL_SSL")
    assert kafka.sasl_password is None
    assert kafka.oauth_client_secret is None


def test_the_page_has_a_file_for_each_way_to_log_in(tmp_path: Path) -> None:
    shown = {line.split()[1] for line in PAGE.splitlines() if line.startswith("  sasl_mechanism:")}

    assert shown == {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"}
    assert len(BLOCKS) == 9
