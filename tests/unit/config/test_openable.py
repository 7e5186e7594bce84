"""Which URLs of the ledger and of artifacts the settings refuse, and what they say."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from daemon.config.loader import SettingsError, load
from daemon.config.openable import check_artifacts_url, check_ledger_url
from daemon.config.settings import Settings

NOT_URLS = ["", "not a url", "ledger.db", "://", "postgresql:/db", "postgresql", "//host/db", "1://x"]


@pytest.mark.parametrize("url", [*NOT_URLS, "/srv/ledger.db"])
def test_what_is_no_url_is_no_ledger(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not a URL; .*sqlite:////PATH"):
        check_ledger_url(url)


@pytest.mark.parametrize("scheme", ["mysql", "oracle+cx_oracle", "http", "postgres", "foo", "redis", "file"])
def test_a_database_that_is_not_supported_is_refused(scheme: str) -> None:
    with pytest.raises(ValueError, match=f"{scheme.replace('+', '.')}:// is not known here"):
        check_ledger_url(f"{scheme}://host/db")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/l.db",
        "sqlite:///l.db",
        "sqlite+pysqlite:////l.db",
        "postgresql://u:p@h/db",
        "postgresql+psycopg:///db?host=/run",
    ],
)
def test_a_ledger_that_can_be_opened_is_taken_as_it_is(url: str) -> None:
    assert check_ledger_url(url) == url


@pytest.mark.parametrize("url", ["postgresql://h/db", "postgresql+psycopg://h/db"])
@pytest.mark.parametrize("way", ["missing", "broken"])
def test_a_missing_driver_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, way: str
) -> None:
    without("psycopg", way, monkeypatch, tmp_path)

    with pytest.raises(ValueError, match=r"needs a library: pip install 'retuned\[postgres\]'"):
        check_ledger_url(url)


def without(module: str, way: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have importing a module fail."""
    if way == "missing":
        monkeypatch.setitem(sys.modules, module, None)
        return
    monkeypatch.delitem(sys.modules, module, raising=False)
    (folder / f"{module}.py").write_text("raise ImportError('no pq wrapper available')")
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("url", [url for url in NOT_URLS if not url.startswith("/")])
def test_what_is_no_url_is_no_store(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not a URL; name a URL such as"):
        check_artifacts_url(url)


@pytest.mark.parametrize("url", ["foo://x", "s4://bucket", "simplecache::foo://x"])
def test_a_store_that_is_not_known_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not known here"):
        check_artifacts_url(url)


@pytest.mark.parametrize("way", ["missing", "broken"])
@pytest.mark.parametrize("url", ["s3://bucket/x", "s3a://bucket", "simplecache::s3://bucket"])
def test_a_missing_library_of_a_store_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, way: str
) -> None:
    without("s3fs", way, monkeypatch, tmp_path)

    with pytest.raises(ValueError, match=r"s3a?:// needs a library: pip install 'retuned\[s3\]'"):
        check_artifacts_url(url)


def test_a_store_without_an_extra_names_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without("gcsfs", "missing", monkeypatch, tmp_path)

    with pytest.raises(ValueError, match=r"gs:// needs a library: .*gcsfs"):
        check_artifacts_url("gs://bucket")


@pytest.mark.parametrize("url", ["file:///srv/a", "/srv/a", "memory://a", "simplecache::file:///a"])
def test_a_store_that_can_be_used_is_taken_as_it_is(url: str) -> None:
    assert check_artifacts_url(url) == url


def test_all_mistakes_are_named_together_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text("model: {base: x}\nledger_url: not a url\nartifacts_url: foo://x\n")

    with pytest.raises(SettingsError) as caught:
        load(file, {})

    found = [(mistake.path, mistake.source) for mistake in caught.value.mistakes]
    assert found == [("ledger_url", f"{file}:2"), ("artifacts_url", f"{file}:3")]


def test_the_settings_refuse_it_however_they_are_made() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"model": {"base": "x"}, "ledger_url": "not a url"})
