"""Says what a sequential detector found, and writes its state as JSON."""

from collections.abc import Mapping
from typing import Any

from daemon.ledger.detectors import RaisedAlarm
from monitors.sequential.aspect_evidence import DOUBT, EVIDENCE
from monitors.sequential.conformal_bets import LateState
from monitors.sequential.detector_state import DetectorState
from monitors.sequential.pending_alarm import DETECTOR
from monitors.sequential.wealth import AspectWealth
from monitors.types import Aspect, Finding, Verdict

_SAID: Mapping[Aspect, str] = {
    Aspect.INPUT: "what users say",
    Aspect.REPLY: "what the assistant says",
    Aspect.LANGUAGE: "the language",
    Aspect.SHAPE: "lengths and turns",
    Aspect.DEFECTS: "empty, repeated or cut-off turns",
    Aspect.LABEL: "labels",
    Aspect.QUALITY: "what users think of the answers",
    Aspect.FEEDBACK_RATE: "how many users say what they think",
    Aspect.CONCEPT: "the live version's loss",
    Aspect.EMBEDDING: "what users mean, by the embedding model",
}


def state_json(state: DetectorState) -> dict[str, Any]:
    """Return the state in JSON's own types."""
    return {
        "count": state.count,
        "begins": state.begins,
        "recent": list(state.recent),
        "stakes": {
            str(aspect): {
                "wealth": stake.wealth,
                "since": stake.since,
                "shares": list(stake.weights),
                "spread": list(stake.variances),
            }
            for aspect, stake in state.wealths.items()
        },
        "heard": {
            str(aspect): {
                "until": heard.until,
                "levels": {
                    kind: {str(level): count for level, count in levels.items()}
                    for kind, levels in heard.levels.items()
                },
                "recent": list(heard.recent),
                "count": heard.count,
                "recent_at": list(heard.recent_at),
            }
            for aspect, heard in state.late.items()
        },
    }


def state_of(document: Mapping[str, Any]) -> DetectorState:
    """Read what ``state_json`` wrote, that of releases that heard of nothing late too."""
    return DetectorState(
        count=document["count"],
        begins=document.get("begins", 0),
        recent=tuple(document["recent"]),
        wealths={
            Aspect(name): AspectWealth(
                wealth=stake["wealth"],
                since=stake["since"],
                weights=tuple(stake["shares"]),
                variances=tuple(stake["spread"]),
            )
            for name, stake in document["stakes"].items()
        },
        late={
            Aspect(name): LateState(
                until=heard["until"],
                levels={
                    kind: {int(level): count for level, count in levels.items()}
                    for kind, levels in heard["levels"].items()
                },
                recent=tuple(heard["recent"]),
                count=heard.get("count", 0),
                recent_at=tuple(heard.get("recent_at", ())),
            )
            for name, heard in document.get("heard", {}).items()
        },
    )


def in_words(aspect: Aspect) -> str:
    """Return what changes where an aspect does, for people."""
    return _SAID[aspect]


def alarm_verdict(
    window_id: str, raised: RaisedAlarm, *, threshold: float, caution: str | None = None
) -> Verdict:
    """Return the detector's verdict on the window whose conversation raised an alarm. ``caution``: what it can't tell."""
    wealth = sum(raised.evidence.values()) / len(raised.evidence)
    telling = sorted(
        (Aspect(name) for name, evidence in raised.evidence.items() if evidence >= DOUBT),
        key=lambda aspect: -raised.evidence[aspect],
    )
    what = ", ".join(_SAID[aspect] for aspect in telling)
    return Verdict(
        monitor=DETECTOR,
        window_id=window_id,
        finding=Finding.DRIFT,
        score=wealth / threshold,
        threshold=1.0,
        reason=f"the stream changed at about conversation {raised.since_seq}: {what} (evidence {wealth:,.0f} : 1, alarm "
        f"from {threshold:,.0f})" + (f"; {caution}" if caution else ""),
        numbers={
            "seq": raised.seq,
            "since_seq": raised.since_seq,
            **{f"{EVIDENCE}{name}": evidence for name, evidence in raised.evidence.items()},
        },
    )


def quiet_verdict(
    window_id: str, state: DetectorState, *, threshold: float, standing: int | None = None
) -> Verdict:
    """Return the detector's verdict on a window that raised no alarm. ``standing``: the window whose alarm stands."""
    said = (
        "the stream is like the reference"
        if standing is None
        else f"the alarm of window {standing} stands, and no other was raised here"
    )
    return Verdict(
        monitor=DETECTOR,
        window_id=window_id,
        finding=Finding.STABLE if standing is None else Finding.INCONCLUSIVE,
        score=state.wealth / threshold,
        threshold=1.0,
        reason=f"{said} (evidence for a change {state.wealth:,.1f} : 1, alarm from {threshold:,.0f})",
        numbers={f"{EVIDENCE}{aspect}": stake.wealth for aspect, stake in state.wealths.items()},
    )
