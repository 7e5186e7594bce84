"""Makes the report of an explained window: one self-contained HTML page."""

import base64
import gzip
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitors.errors import NothingToReport
from monitors.explanation.evidently_page import evidently_page
from monitors.sequential.aspect_evidence import evidence_of
from monitors.settings import MonitorSettings
from monitors.types import Change, Explanation, Finding, Reference, Sample, Verdict, Window
from monitors.window.recurrence_result import RecurrenceResult

_log = logging.getLogger(__name__)
#: Maximum characters of a quoted turn, and turns of a quoted conversation.
_MAX_CHARACTERS, _MAX_TURNS = 1_500, 12
_MAX_BYTES = 1_500_000  # compressed; a larger page leaves out Evidently's part

#: Conversation text is always a value, never part of the template.
_PAGES = Environment(
    loader=PackageLoader("monitors.explanation", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters["decades"] = lambda wealth: log10(max(wealth, 1.0))
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quoted:
    """A turn as the page quotes it."""

    role: str
    text: str
    left_out: int  # characters beyond the limit


def packed_report(
    window: Window,
    reference: Reference,
    verdicts: Sequence[Verdict],
    explanation: Explanation,
    settings: MonitorSettings,
    *,
    recurrence: RecurrenceResult | None = None,
) -> bytes:
    """Return the page, compressed by gzip. Needs samples on both sides.

    The page loads nothing: it contains its styles and pictures, and its content security policy allows no script except
    Evidently's, by hash, in a frame without an origin. Evidently's part is left out where it fails or is too large.
    """
    content = {
        "window": window,
        "reference": reference,
        "recurrence": recurrence,
        **_detection(verdicts, settings),
        **_changes(window, explanation),
    }
    page = _packed(_page(content, _evidently(window, reference, verdicts, settings)))
    return page if len(page) <= _MAX_BYTES else _packed(_page(content, None))


def _evidently(
    window: Window, reference: Reference, verdicts: Sequence[Verdict], settings: MonitorSettings
) -> str | None:
    try:
        return evidently_page(window, reference, verdicts, settings)
    except NothingToReport:
        return None
    except Exception as error:  # noqa: BLE001  whatever it was, the rest of the page stands
        _log.error("Evidently's report failed: %s: %s", type(error).__name__, error)
        return None


def _page(content: Mapping[str, object], evidently: str | None) -> str:
    return _PAGES.get_template("report.html").render(
        **content,
        evidently=evidently,
        scripts=[_digest(script) for script in _SCRIPT.findall(evidently or "")],
    )


def _detection(verdicts: Sequence[Verdict], settings: MonitorSettings) -> dict[str, object]:
    detected = (settings.detected,) if settings.detected else ()
    evidence = evidence_of(settings.detected.numbers) if settings.detected else {}
    return {
        "headline": _headline((*detected, *verdicts), settings),
        "evidence": sorted(evidence.items(), key=lambda item: -item[1]),
        "threshold": settings.conversations_between_false_alarms,
        "verdicts": (*detected, *verdicts),
    }


def _changes(window: Window, explanation: Explanation) -> dict[str, object]:
    return {
        "explanation": explanation,
        "words": _aspect(explanation, "word"),
        "characters": _aspect(explanation, "characters"),
        "descriptors": _aspect(explanation, "descriptor"),
        "tags": [*_aspect(explanation, "label"), *_aspect(explanation, "defect")],
        "examples": [
            (sample, list(_quoted(sample))) for sample in _with_ids(window.samples, explanation.examples)
        ],
    }


def _headline(verdicts: Sequence[Verdict], settings: MonitorSettings) -> str:
    """Return the reason of the detector where it raised an alarm, else of the monitor that confirmed one."""
    reasons = [
        verdict.reason
        for verdict in verdicts
        if verdict.finding is Finding.DRIFT and (settings.alarmed or verdict.monitor in settings.confirm_by)
    ]
    return reasons[0] if reasons else "nothing here is sure to have changed"


def _aspect(explanation: Explanation, aspect: str) -> list[Change]:
    return [change for change in explanation.changes if change.aspect == aspect]


def _with_ids(samples: Sequence[Sample], ids: Sequence[str]) -> list[Sample]:
    known = {sample.id: sample for sample in samples}
    return [known[id_] for id_ in ids if id_ in known]


def _quoted(sample: Sample) -> Iterator[Quoted]:
    for turn in sample.turns[:_MAX_TURNS]:
        left_out = max(0, len(turn.content) - _MAX_CHARACTERS)
        yield Quoted(role=turn.role, text=turn.content[:_MAX_CHARACTERS], left_out=left_out)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _packed(page: str) -> bytes:
    return gzip.compress(page.encode(), mtime=0)
