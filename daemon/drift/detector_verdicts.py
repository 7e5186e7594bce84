"""The sequential detector's verdicts on windows, in words."""

from daemon.drift.aspect_words import describe_aspect
from daemon.ledger.detectors import RaisedAlarm
from monitors.sequential.aspect_evidence import DOUBT, EVIDENCE
from monitors.sequential.detector_state import DetectorState
from monitors.sequential.pending_alarm import DETECTOR
from monitors.types import Aspect, Finding, Verdict


def alarm_verdict(
    window_id: str,
    raised: RaisedAlarm,
    *,
    first: RaisedAlarm | None = None,
    threshold: float,
    caution: str | None = None,
) -> Verdict:
    """Return the verdict on the window in which an alarm was raised: drift.

    ``first``: the alarm by which the change was found, where it is another one; ``threshold``: the evidence from which on
    there is an alarm; ``caution``: what the reference can't tell yet.
    """
    changed_at = f"the stream changed at about conversation {raised.since_seq}"
    if first is not None and first.seq != raised.seq:
        changed_at = f"the change at about conversation {first.since_seq} is still there"
    wealth = sum(raised.evidence.values()) / len(raised.evidence)
    changed = sorted(
        (Aspect(name) for name, evidence in raised.evidence.items() if evidence >= DOUBT),
        key=lambda aspect: -raised.evidence[aspect],
    )
    aspects = ", ".join(map(describe_aspect, changed))
    return Verdict(
        monitor=DETECTOR,
        window_id=window_id,
        finding=Finding.DRIFT,
        score=wealth / threshold,
        threshold=1.0,
        reason=f"{changed_at}: {aspects} (evidence {wealth:,.0f} : 1, alarm "
        f"from {threshold:,.0f})" + (f"; {caution}" if caution else ""),
        numbers={
            "seq": raised.seq,
            "since_seq": raised.since_seq,
            **{f"{EVIDENCE}{name}": evidence for name, evidence in raised.evidence.items()},
        },
    )


def quiet_verdict(
    window_id: str, state: DetectorState, *, threshold: float, alarm_window: int | None = None
) -> Verdict:
    """Return the verdict on a window in which no alarm was raised: stable.

    ``alarm_window``: the earlier window whose alarm is still open; then the verdict is inconclusive.
    """
    summary = (
        "the stream is like the reference"
        if alarm_window is None
        else f"the alarm of window {alarm_window} is still open, and no other was raised here"
    )
    return Verdict(
        monitor=DETECTOR,
        window_id=window_id,
        finding=Finding.STABLE if alarm_window is None else Finding.INCONCLUSIVE,
        score=state.wealth / threshold,
        threshold=1.0,
        reason=f"{summary} (evidence for a change {state.wealth:,.1f} : 1, alarm from {threshold:,.0f})",
        numbers={f"{EVIDENCE}{aspect}": wealth.wealth for aspect, wealth in state.wealths.items()},
    )
