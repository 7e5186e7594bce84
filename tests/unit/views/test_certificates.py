"""When certificates expire, and which of several counts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from daemon.config.settings import Settings
from daemon.views.certificates import certificates
from tests.factories.daemon import line_settings

NOW = datetime.now(UTC).replace(microsecond=0)


def pem(file: Path, *days: float) -> Path:
    """A file with certificates that expire so many days from now."""
    authority = trustme.CA()
    file.write_bytes(
        b"".join(
            authority.issue_cert("localhost", not_after=NOW + timedelta(days=each)).cert_chain_pems[0].bytes()
            for each in days
        )
    )
    return file


def settings_with(tmp_path: Path, **files: Path) -> Settings:
    settings = line_settings(tmp_path)
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update=files)})


@pytest.mark.parametrize(
    ("name", "days", "next_end"),
    [
        ("ssl_certfile", [30], 30),
        ("ssl_certfile", [30, 5, 400], 5),  # the chain is as good as its weakest link
        ("ssl_certfile", [30, -5], -5),
        ("ssl_cafile", [400, 30], 30),
        ("ssl_cafile", [-1_000, 30, 400], 30),  # an old authority may stay in the file
        ("ssl_cafile", [-1_000, -3], -3),
    ],
)
def test_the_certificate_that_expires_next_counts(
    tmp_path: Path, name: str, days: Sequence[int], next_end: int
) -> None:
    settings = settings_with(tmp_path, **{name: pem(tmp_path / "file.pem", *days)})

    [found] = certificates(settings, NOW)

    assert (found.setting, found.expires_at) == (f"kafka.{name}", NOW + timedelta(days=next_end))
    assert found.expires_soon(NOW) is (next_end < 14)


def test_a_file_without_certificates_is_left_to_the_check_of_files(tmp_path: Path) -> None:
    (tmp_path / "file.pem").write_text("none")

    for file in (tmp_path / "file.pem", tmp_path / "absent.pem"):
        assert list(certificates(settings_with(tmp_path, ssl_cafile=file), NOW)) == []


def test_words_say_how_long_it_is_valid(tmp_path: Path) -> None:
    soon, past = (
        next(certificates(settings_with(tmp_path, ssl_cafile=pem(tmp_path / name, days)), NOW)).words(NOW)
        for name, days in (("soon.pem", 3), ("past.pem", -2))
    )

    assert f"the certificate in {tmp_path}/soon.pem (kafka.ssl_cafile) expires in 3 days: " in soon
    assert " has expired: " in past
