import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.tree import Tree

from daemon.cli.render.changes import add_changes
from daemon.domain.alarms import Triage
from daemon.drift.detector_state import state_to_json
from daemon.ledger.detectors import RaisedAlarm, StoredDetector
from daemon.ledger.provenance import ProvenanceLedger
from daemon.views.explanation import explanation_of
from monitors.sequential.detector_state import AspectWealth, DetectorState
from monitors.types import PLAIN_ASPECTS, Aspect, DomainView, Explanation, Outcome, WordEffect
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line
from tests.factories.ledger import a_batch, a_conversation
from tests.unit.monitors.sequential.test_edetector import SHOP, SPORT, WORDS
from tests.unit.monitors.sequential.test_edetector import a_conversation as a_sample


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def watched(line: Line, wealth: float) -> StoredDetector:
    reference = line.stores.windows.reference()
    assert reference is not None
    stakes = {aspect: AspectWealth() for aspect in PLAIN_ASPECTS} | {
        Aspect.INPUT: AspectWealth(wealth=wealth, since=51)
    }
    state = DetectorState(count=40, wealths=stakes, recent=(51,))
    return StoredDetector(reference_id=reference.id, seq=90, state=state_to_json(state), at=line.now)


def test_before_anything_is_watched_it_says_why(line: Line) -> None:
    shown = type_to(line, "drift", "show").stdout

    assert shown.startswith("No drift; no window is compared with this reference yet.")
    assert "the reference is not full" in shown
    assert "`retuned reference show`" in shown


def test_the_evidence_is_shown_by_aspect(line: Line) -> None:
    line.stores.detectors.store(watched(line, 141.0))

    shown = type_to(line, "drift", "show").stdout

    assert "40 conversations, up to 90" in shown
    assert "29 : 1 for a change; an alarm is raised at 20,000 : 1" in shown
    assert "what users say                    ██████████··········" in shown
    assert "141 : 1" not in shown
    assert "141 : 1" in type_to(line, "drift", "show", "--verbose").stdout


def test_an_alarm_and_what_changed_are_shown(line: Line) -> None:
    line.drift()
    raised = RaisedAlarm(seq=75, since_seq=71, evidence={"input": 9e4, "reply": 2.0}, at=line.now)
    line.stores.detectors.raise_alarm(watched(line, 1.0), raised)

    shown = " ".join(type_to(line, "drift", "show").stdout.split())

    assert shown.startswith("The change since window 2 is being answered: a training is decided on.")
    assert "since conversation 71, window 2" in shown
    assert "at conversation 75 └── changed at about 71, mostly in what users say" in shown
    assert "退款 0.10% -> 12.00%" in shown


def test_alarms_of_a_change_that_lasts_are_shown_as_one(line: Line) -> None:
    line.drift()
    for seq in (75, 95):
        raised = RaisedAlarm(seq=seq, since_seq=seq - 5, evidence={"input": 9e4}, at=line.now)
        line.stores.detectors.raise_alarm(watched(line, 1.0), raised)

    shown = " ".join(type_to(line, "drift", "show").stdout.split())

    assert "at conversation 75 " in shown
    assert "raised again in 1 window after it" in shown
    assert "at conversation 95" not in shown


def test_topics_and_what_a_classifier_goes_by_are_shown_in_short(line: Line) -> None:
    line.drift()

    shown = " ".join(type_to(line, "drift", "show").stdout.split())

    assert "topic (退款, 订单): 1.0% -> 40.0% of the users" in shown
    assert "AUC 0.91 (95% interval 0.86 to 0.96) │ └── it goes by: 退款 +0.70" in shown
    assert "`retuned drift report 3`, or /reports/3" in shown


def test_a_classifier_that_knows_nothing_is_not_quoted() -> None:
    guess = DomainView(
        auc=0.52, lower=0.44, upper=0.6, words=(WordEffect(word="tea", strength=1, mean=1, having=1),)
    )
    explanation = Explanation(window_id="7", changes=(), examples=(), share_new=0.0, domain=guess)
    tree = Tree("what changed")
    add_changes(tree, explanation)

    branch = tree.children[-1]
    labels = [str(branch.label), *(str(below.label) for below in branch.children)]

    assert labels == [
        "a classifier of words can't tell the window from the reference",
        "AUC 0.52 (95% interval 0.44 to 0.60)",
    ]


def test_an_explanation_of_an_earlier_release_is_read(line: Line) -> None:
    line.drift()
    [judged] = line.stores.windows.judged(limit=1, drift_only=True)
    assert judged.explanation is not None
    earlier = {name: judged.explanation[name] for name in ("window_id", "changes", "examples", "share_new")}

    explanation = explanation_of(replace(judged, explanation=earlier))

    assert explanation is not None
    assert (explanation.topics, explanation.domain) == ((), None)


def test_the_newest_report_is_written_to_a_file_for_its_owner(line: Line, tmp_path: Path) -> None:
    line.drift()
    file = tmp_path / "report.html"

    written = type_to(line, "drift", "report", "--output", str(file), "--json").document

    assert (written["window"], written["path"], written["size"]) == (3, str(file), file.stat().st_size)
    assert file.read_text("utf-8") == "<p>退款</p>"
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_report_of_a_window_is_written_beside_where_it_is_asked_for(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.drift()
    monkeypatch.chdir(tmp_path)

    shown = type_to(line, "drift", "report", "2").stdout

    assert "report of window 2: report-2.html" in shown
    assert (tmp_path / "report-2.html").exists()


def test_a_report_that_is_not_there_is_refused_with_those_that_are(line: Line, tmp_path: Path) -> None:
    none = type_to(line, "drift", "report", "--json")
    assert none.exit_code != 0
    assert "no report was made yet" in none.error["message"]

    line.drift()
    other = type_to(line, "drift", "report", "1", "--json")
    assert "window 1 has no report; there are reports of 3, 2" in other.error["message"]


def test_a_file_that_cannot_be_written_is_refused(line: Line, tmp_path: Path) -> None:
    line.drift()

    refused = type_to(line, "drift", "report", "--output", str(tmp_path / "no" / "such"), "--json")

    assert "choose another with --output" in refused.error["message"]


def test_scripts_get_all_of_it(line: Line) -> None:
    line.drift()
    line.stores.detectors.store(watched(line, 141.0))

    document = json.loads(type_to(line, "drift", "show", "--json").stdout)

    assert document["watch"]["evidence"]["input"] == 141.0
    assert document["alarm"]["window"] == 2
    assert document["explanation"]["share_new"] == 0.8


def test_why_finds_the_alarm_behind_a_decision_though_the_change_began_earlier(line: Line) -> None:
    line.drift()
    window = line.stores.windows.judged(limit=1, drift_only=True)[0].window.range
    raised = RaisedAlarm(seq=window.last, since_seq=window.first - 7, evidence={"input": 9e4}, at=line.now)
    line.stores.detectors.raise_alarm(watched(line, 1.0), raised)
    decision = replace(line.stores.decisions.recent(1)[0], since_seq=window.first - 7)
    found = ProvenanceLedger(line.stores.engine).alarm_window(decision)

    assert found is not None
    assert found.window.range == window


def looked_into(line: Line, outcome: Outcome) -> None:
    """Drift, and its triage, before the decision to train."""
    line.drift()
    alarm = line.stores.windows.alarm(after_seq=0)
    assert alarm is not None
    line.stores.triages.record(
        Triage(
            window=alarm.window, reference_id=1, since_seq=alarm.first_seq, version="support-bot-v0", outcome=outcome,
            reason="it hurts: loss +0.42 nats per token", numbers={"loss": 0.42}, examples=("c71",), at=alarm.at,
        )
    )  # fmt: skip


def test_whether_a_change_hurts_is_shown_wherever_it_is_asked(line: Line) -> None:
    looked_into(line, Outcome.TRAIN)
    decision = line.stores.decisions.recent(1)[0]
    line.finish_run(line.start_run(decision))

    for words in (("drift", "show"), ("why", "v1")):
        shown = " ".join(type_to(line, *words).stdout.split())
        assert "live then: support-bot-v0" in shown
        assert "it hurts: loss +0.42 nats per token" in shown
        assert "such as: c71" in shown
    assert "train, window 2, " in " ".join(type_to(line, "status").stdout.split())


def test_scripts_get_the_triage_too(line: Line) -> None:
    looked_into(line, Outcome.CANT_HELP)

    shown = json.loads(type_to(line, "drift", "show", "--json").stdout)["triages"]
    status = json.loads(type_to(line, "status", "--json").stdout)["overview"]["triage"]

    assert shown == [status]
    assert (status["outcome"], status["numbers"]) == ("cant_help", {"loss": 0.42})


def test_too_little_history_to_calibrate_is_refused_with_what_is_missing(line: Line) -> None:
    refused = type_to(line, "drift", "calibrate", "--json")

    assert refused.exit_code != 0
    assert refused.error["message"].endswith("are too few to try anything; wait for 200")


def test_calibrating_says_how_rare_false_alarms_are_and_what_is_caught(line: Line) -> None:
    texts = [a_sample(n, (SHOP, SPORT, WORDS[600:])[n % 3]).turns[0].content for n in range(400)]
    new = [a_conversation(line.read + n, user=f"u{n}", text=text) for n, text in enumerate(texts)]
    line.stores.intake.record(a_batch(new))

    words = ("--conversations", "1000", "--within", "150", "--changes", "1")
    shown = " ".join(type_to(line, "drift", "calibrate", *words).stdout.split())

    assert shown.startswith("False alarms are at least 334 conversations apart (95% confidence).")
    assert "1,000 conversations of shuffled history" in shown
    assert "0; the settings declare 0.1 at most" in shown
    assert "100% 100% of 1" in shown
