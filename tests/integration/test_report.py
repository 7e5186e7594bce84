"""The report of a window: one page that loads nothing, in which no text of a conversation is anything but text."""

import gzip
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from monitors.explanation import report as module
from monitors.explanation.explain import explain
from monitors.explanation.report import packed_report
from monitors.settings import MONITORS, MonitorSettings
from monitors.suite import judge
from monitors.types import Explanation, Finding, Reference, Sample, Verdict, Window
from monitors.window.monitors_by_name import build
from tests.factories.monitors import a_reference, a_sample, a_window, made_of
from tests.support.helpers import missing

TEA, BANK = ["tea", "leaf", "pot", "cup"], ["loan", "fee", "bank", "card"]
HOSTILE = "<script>document.title='owned'</script> {{7*7}} {% raw %} </script>\n    </head> \"quoted\" <!-- 'single' & 退款 🎉"
DETECTED = Verdict(
    monitor="e_detector", window_id="7", finding=Finding.DRIFT, score=5.0, threshold=1.0,
    reason="the stream changed at about conversation 71: what users say (evidence 100,000 : 1, alarm from 20,000)",
    numbers={"seq": 75, "evidence_input": 4e5, "evidence_reply": 1.0, "evidence_language": 0.5},
)  # fmt: skip
ALARMED = MonitorSettings(alarmed=True, detected=DETECTED)


class Page(HTMLParser):
    """What a browser would make of a page: its tags, what it would load, its text, the page in its frame."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.policy = self.frame = ""
        self.sandbox: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.loads += [given[name] for name in ("src", "href", "data", "action", "poster") if name in given]
        assert not [name for name in given if name.startswith("on")]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag == "iframe":
            self.frame, self.sandbox = given["srcdoc"], given["sandbox"]

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(window: Window, reference: Reference, explanation: Explanation | None = None) -> str:
    explanation = explanation or explain(window, reference)
    verdicts = [DETECTED, *(build(name, ALARMED).judge(window, reference) for name in MONITORS)]
    return gzip.decompress(packed_report(window, reference, verdicts, explanation, ALARMED)).decode()


@pytest.fixture(scope="module")
def hostile() -> str:
    """The page of a window in which many users say what would harm a page that trusts them."""
    evil = [
        a_sample(f"evil<b>{n}", f"{HOSTILE} {n}", replied="</iframe><img src=x onerror=alert(1)>")
        for n in range(50)
    ]
    return page_of(a_window([*made_of(TEA, 40, seed=1), *evil]), a_reference(made_of(TEA, 200, seed=2)))


def test_the_page_loads_nothing_and_says_so_to_the_browser(hostile: str) -> None:
    page = Page(hostile)

    assert page.loads == []
    assert "default-src 'none'" in page.policy
    assert "connect-src" not in page.policy
    assert Page(page.frame).loads == []
    assert page.sandbox == "allow-scripts"  # without an origin: it reaches neither the page nor the daemon


def test_what_users_say_is_text_and_nothing_else(hostile: str) -> None:
    page = Page(hostile)

    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "{{7*7}}" in page.text
    assert "<script>document.title='owned'</script>" in page.text
    assert "</iframe><img src=x onerror=alert(1)>" in page.text


def test_only_evidently_s_own_scripts_may_run(hostile: str) -> None:
    page = Page(hostile)
    allowed = re.findall(r"'sha256-([^']+)'", page.policy)

    scripts = re.findall(r"<script>(.*?)</script>", page.frame, re.DOTALL)

    assert len(scripts) == len(allowed) == 4
    assert "'unsafe-inline'" not in page.policy.partition("script-src")[2]
    assert all(not script.startswith("document.title") for script in scripts)


def test_the_page_tells_what_changed_in_order(hostile: str) -> None:
    text = " ".join(Page(hostile).text.split())
    parts = [
        "what changed in window 7", DETECTED.reason, "Evidence by aspect", "What the monitors found", "Words", "Topics",
        "What a classifier goes by", "Conversations closest to the change", "Evidently's report",
    ]  # fmt: skip

    at = [text.index(part) for part in parts]

    assert at == sorted(at)
    assert "400,000 : 1" in text
    assert text.count("evil<b>") == 5


def test_it_is_small_enough_to_be_kept() -> None:
    """Measured: 1.3 MB in the ledger, 4.6 MB as a file, nearly all of it Evidently's scripts."""
    window, reference = a_window(made_of(BANK, 60, seed=1)), a_reference(made_of(TEA, 200, seed=2))

    page = page_of(window, reference).encode()

    assert "iframe" in Page(page.decode()).tags
    assert len(gzip.compress(page)) < 1_500_000
    assert len(page) < 5_000_000


def test_where_it_would_be_too_large_evidently_s_part_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 100_000)

    page = Page(page_of(a_window(made_of(BANK, 40, seed=1)), a_reference(made_of(TEA, 120, seed=2))))

    assert "iframe" not in page.tags
    assert "script-src 'none'" in page.policy


def test_where_evidently_fails_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise ZeroDivisionError("no columns today")

    monkeypatch.setattr(module, "evidently_page", fail)

    page = Page(page_of(a_window(made_of(BANK, 40, seed=1)), a_reference(made_of(TEA, 120, seed=2))))

    assert DETECTED.reason in page.text
    assert "iframe" not in page.tags


def test_a_window_that_says_nothing_has_a_page() -> None:
    silent: list[Sample] = [a_sample(f"s{n}", "") for n in range(60)]

    text = Page(page_of(a_window(silent[:20]), a_reference(silent[20:]))).text

    assert "No topic's share of the users changed for sure" in text
    assert "too few words or users" in text


def test_a_classifier_that_knows_nothing_is_said_to() -> None:
    window, reference = a_window(made_of(TEA, 60, seed=1)), a_reference(made_of(TEA, 120, seed=2))

    text = " ".join(Page(page_of(window, reference)).text.split())

    assert "The classifier can't tell them apart" in text


def test_only_what_is_explained_is_reported() -> None:
    window, reference = a_window(made_of(BANK, 60, seed=1)), a_reference(made_of(TEA, 120, seed=2))

    assert judge(window, reference, MonitorSettings(monitors=(), confirm_by=())).report is None
    assert (
        judge(window, reference, MonitorSettings(monitors=(), confirm_by=(), alarmed=True)).report is not None
    )


def test_a_report_that_fails_costs_no_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError("no ink")

    monkeypatch.setattr(module, "packed_report", fail)
    window, reference = a_window(made_of(BANK, 60, seed=1)), a_reference(made_of(TEA, 120, seed=2))

    judgement = judge(window, reference, MonitorSettings(monitors=("mmd",), alarmed=True))

    assert judgement.report is None
    assert judgement.failed == ("report",)
    assert judgement.explanation is not None


#: Whichever is there.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def test_a_browser_opens_it_and_draws_evidently_s_part(hostile: str, tmp_path: Path) -> None:
    """The closed part is opened, so that the frame is drawn."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None) or missing(
        "Chromium", "install it (Debian: chromium)"
    )
    file = tmp_path / "report.html"
    file.write_text(hostile.replace("<details>", "<details open>").replace('loading="lazy"', ""), "utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=20000",
        "--dump-dom",
        file.as_uri(),
    ]

    opened = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)

    assert "<title>support-bot, window 7: what changed</title>" in opened.stdout
    assert "Content Security Policy" not in opened.stderr  # nothing that the page needs was refused
    assert "Uncaught" not in opened.stderr
