"""What only has to be looked at: each message names a command that shows it."""

from pathlib import Path

import pytest

from daemon.config import first_settings
from daemon.config.loader import dump
from daemon.domain.windows import SeqRange
from daemon.http.report_access import refusal
from daemon.ledger.reference_widening import WidenBlocker
from daemon.ledger.references import ReferenceLedger
from monitors.types import Outcome
from tests.factories.cli import typed
from tests.factories.daemon import LINE, Line
from tests.remedies.cases import mends
from tests.remedies.operator import Operator, printed_command
from tests.unit.cli.test_screens import triaged


@mends("retuned drift report {}", "daemon/cli/render/drift.py", "daemon/views/report_files.py")
@mends("retuned drift show", "daemon/views/report_files.py")
def test_a_report_is_written_as_printed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = operator.reads("drift", "report")
    assert "no report was made yet" in missing
    operator.follows(missing, "retuned drift show")
    operator.line.drift()

    for printed in (operator.reads("drift", "show"), operator.reads("drift", "report", "99")):
        operator.follows(printed, "retuned drift report {}")
        [written] = tmp_path.glob("report-*.html")
        written.unlink()


@mends("retuned drift report", "daemon/http/report_access.py")
@pytest.mark.parametrize("access", ["off", "local"])
def test_reports_that_are_not_served_are_read_by_a_command(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, access: str
) -> None:
    monkeypatch.chdir(tmp_path)
    operator.line.drift()
    refused = refusal(access, peer="10.0.0.1", host="elsewhere", headers=())  # type: ignore[arg-type]

    operator.follows(str(refused), "retuned drift report")

    assert list(tmp_path.glob("report-*.html")) != []


@mends("retuned reference show", "daemon/cli/render/drift.py", "daemon/ledger/freezes.py")
@pytest.mark.parametrize("where", [("drift", "show"), ("reference", "freeze"), ("reference", "unfreeze")])
def test_a_reference_that_is_not_full_is_shown(operator: Operator, where: tuple[str, ...]) -> None:
    if where[-1] != "unfreeze":
        operator.line.stores.references.start(f"{LINE}-v1", size=70, after_seq=0, now=operator.line.now)

    shown = operator.follows(operator.reads(*where), "retuned reference show").stdout

    assert "conversations" in shown


@mends("retuned reference set --last N", "daemon/cli/render/references.py")
def test_a_reference_that_does_not_widen_is_set(operator: Operator) -> None:
    expects_a_week(operator.line)
    operator.types("reference", "set", "--last", "50")
    operator.line.add_conversations(60)

    operator.follows(operator.reads("reference", "show"), "retuned reference set --last N", N="60")

    newest = operator.line.stores.references.newest()
    assert newest is not None
    assert newest.range == SeqRange(first=51, last=110)


@mends("retuned drift show", "daemon/cli/render/references.py", "daemon/cli/render/status_summary.py")
@pytest.mark.parametrize("where", [("status",), ("reference", "show")])
def test_a_drift_that_training_can_not_help_is_shown(
    operator: Operator, where: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReferenceLedger, "widen_blocker", lambda _: WidenBlocker.CANT_HELP)
    expects_a_week(operator.line)
    operator.line.drift()
    triaged(operator.line, Outcome.CANT_HELP, "fix the source: broken conversations +31%")

    shown = operator.follows(operator.reads(*where), "retuned drift show").stdout

    assert "broken conversations" in shown


def expects_a_week(line: Line) -> None:
    windows = line.settings.windows.model_copy(update={"reference_days": 7.0})
    line.settings = line.settings.model_copy(update={"windows": windows})
    line.config.write_text(dump(line.settings), encoding="utf-8")


@mends("retuned config schema --yaml", "daemon/config/document.py")
@mends("retuned init", "daemon/config/document.py", "daemon/config/first_settings.py")
def test_a_settings_file_that_is_missing_is_made(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    missing = typed("status").stderr

    assert typed(*printed_command(missing, "retuned config schema --yaml")).exit_code == 0
    made = typed(*printed_command(missing, "retuned init"), stdin="\n\n\n\n\n")

    assert made.exit_code == 0, made.stderr
    assert typed("config", "check").exit_code == 0


@mends("retuned config show --comments", "daemon/config/first_settings.py")
@mends("retuned backup FILE", "daemon/config/first_settings.py")
def test_what_the_first_settings_name_can_be_typed(operator: Operator, tmp_path: Path) -> None:
    source = Path(first_settings.__file__).read_text(encoding="utf-8")

    operator.follows(source, "retuned config show --comments")
    operator.follows(source, "retuned backup FILE", FILE=str(tmp_path / "a.backup"))

    assert (tmp_path / "a.backup").exists()
