"""Makes the report of a window that is explained: one HTML page with everything in it, for people."""

import base64
import gzip
import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitors.errors import NothingToReport
from monitors.explanation.evidently_page import evidently_page
from monitors.sequential.aspect_evidence import evidence_of
from monitors.suite import MonitorSettings
from monitors.types import Explanation, Finding, Reference, Sample, Verdict, Window

_log = logging.getLogger(__name__)
#: Characters of a turn, and turns of a conversation, that are quoted.
_TURN, _TURNS = 1_500, 12
_MOST_BYTES = 1_500_000  # packed; beyond that Evidently's part is left out

#: Conversation text is a value that is put into the page, never a part of the template.
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
    """One turn as it is shown."""

    role: str
    text: str
    left_out: int  # characters


def packed_report(
    window: Window,
    reference: Reference,
    verdicts: Sequence[Verdict],
    explanation: Explanation,
    settings: MonitorSettings,
) -> bytes:
    """Return the page, compressed by gzip. Needs samples on both sides.

    It loads nothing: styles and pictures are in it, and its policy lets no other script run than Evidently's, which
    are in a frame without an origin. Where Evidently's part fails, or would make it too large, it is left out.
    """
    evidently = _evidently(window, reference, verdicts, settings)
    page = _packed(_page(window, reference, verdicts, explanation, settings, evidently))
    if len(page) <= _MOST_BYTES:
        return page
    return _packed(_page(window, reference, verdicts, explanation, settings, None))


def _evidently(
    window: Window, reference: Reference, verdicts: Sequence[Verdict], settings: MonitorSettings
) -> str | None:
    try:
        return evidently_page(window, reference, verdicts, settings)
    except NothingToReport:
        return None
    except Exception:  # noqa: BLE001  whatever it was, ours says more
        _log.exception("Evidently's report failed")
        return None


def _page(
    window: Window,
    reference: Reference,
    verdicts: Sequence[Verdict],
    explanation: Explanation,
    settings: MonitorSettings,
    evidently: str | None,
) -> str:
    detected = (settings.detected,) if settings.detected else ()
    evidence = evidence_of(settings.detected.numbers) if settings.detected else {}
    return _PAGES.get_template("report.html").render(
        window=window,
        reference=reference,
        headline=_headline((*detected, *verdicts), settings),
        evidence=sorted(evidence.items(), key=lambda item: -item[1]),
        threshold=settings.conversations_between_false_alarms,
        verdicts=(*detected, *verdicts),
        told=explanation,
        words=_aspect(explanation, "word"),
        characters=_aspect(explanation, "characters"),
        descriptors=_aspect(explanation, "descriptor"),
        tags=[*_aspect(explanation, "label"), *_aspect(explanation, "defect")],
        examples=[(sample, list(_quoted(sample))) for sample in _named(window.samples, explanation.examples)],
        evidently=evidently,
        scripts=[_digest(script) for script in _SCRIPT.findall(evidently or "")],
    )


def _headline(verdicts: Sequence[Verdict], settings: MonitorSettings) -> str:
    """Say what was found, in the sentence of who found it: an alarm, else what confirmed it."""
    speaks = [
        verdict
        for verdict in verdicts
        if verdict.finding is Finding.DRIFT and (settings.alarmed or verdict.monitor in settings.confirm_by)
    ]
    return speaks[0].reason if speaks else "nothing here is sure to have changed"


def _aspect(explanation: Explanation, aspect: str) -> list[object]:
    return [change for change in explanation.changes if change.aspect == aspect]


def _named(samples: Sequence[Sample], ids: Sequence[str]) -> list[Sample]:
    known = {sample.id: sample for sample in samples}
    return [known[id_] for id_ in ids if id_ in known]


def _quoted(sample: Sample) -> Iterator[Quoted]:
    for turn in sample.turns[:_TURNS]:
        yield Quoted(role=turn.role, text=turn.content[:_TURN], left_out=max(0, len(turn.content) - _TURN))


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _packed(page: str) -> bytes:
    return gzip.compress(page.encode(), mtime=0)
