"""What a ledger holds: documents written by earlier releases, byte for byte. Never change an expectation here."""

import hashlib
import json
import math
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from registry.codec import (
    order_from_json,
    order_to_json,
    promotion_from_json,
    promotion_to_json,
    report_from_json,
    report_to_json,
    version_from_json,
    version_to_json,
)
from registry.history import entry_digest
from registry.orders import Order, OrderKind
from registry.types import (
    CheckReport,
    Figure,
    GateReport,
    GateVerdict,
    Measure,
    Promotion,
    PromotionKind,
    Version,
)
from tests.factories.registry import DAEMON, NOW, OPERATOR, a_history, a_report, a_step, a_version, v

GOLDEN = Path(__file__).parent / "golden"


def a_full_report() -> GateReport:
    """Infinite bounds, whole numbers as floats, a tiny and a huge one, and two slices."""
    target = replace(
        a_report(GateVerdict.INCONCLUSIVE).slices[0], lower=-math.inf, upper=math.inf, difference=-0.0
    )
    protected = replace(
        target,
        name="旧 old",
        role="protected",
        live_loss=1e-9,
        candidate_loss=1e22,
        verdict=GateVerdict.REJECT,
    )
    return replace(a_report(GateVerdict.REJECT, look=2), slices=(target, protected), against=v(2), alpha=1.0)


def a_checked_report() -> GateReport:
    """Checks, figures and a slice of margins, with infinite numbers where there can be."""
    check = CheckReport(
        name="ends by itself", prompts=40, live_failed=1, candidate_failed=14, worse=14, better=1, p_value=0.00048828125,
        smallest_harm=0.25, verdict=GateVerdict.REJECT, reason="fails more often",
    )  # fmt: skip
    few = replace(
        check, name="valid JSON", prompts=2, smallest_harm=math.inf, verdict=GateVerdict.INCONCLUSIVE
    )
    margins = replace(a_report().slices[0], role="reported", measure=Measure.MARGIN, live_loss=-0.31)
    figures = (Figure(name="token F1", live=0.08, candidate=0.75, count=40),)
    return replace(
        a_report(GateVerdict.REJECT), slices=(margins,), checks=(check, few), figures=figures, against=v(2)
    )


def a_full_version() -> Version:
    settings = {
        "rank": 16, "alpha": 32.0, "target_modules": ("q_proj", "v_proj"), "deep": {"list": [1, 2.5, None, True, "é"]},
        "big": 2**70, "small": 1e-300,
    }  # fmt: skip
    return replace(a_version(3), lineage=replace(a_version(3).lineage, settings=settings))


PROMOTIONS: dict[str, Promotion] = {
    "bootstrap": a_history("0").entries[0],
    "promotion": a_history("0", "3").entries[1],
    "rollback": a_step(a_history("0", "3"), "back"),
    "forced": Promotion(
        model_line="support-bot", position=7, kind=PromotionKind.PROMOTION, version=v(9), previous=v(2),
        reason="“forced” \\ \n\x7f 😀", by=OPERATOR, at=NOW.astimezone(timezone(timedelta(hours=8))), forced=True,
        gate=a_full_report(), previous_digest="c" * 64,
    ),
    "without gate": Promotion(
        model_line="support-bot", position=8, kind=PromotionKind.PROMOTION, version=v(10), previous=None,
        reason="r", by=DAEMON, at=NOW.replace(microsecond=0),
    ),
}  # fmt: skip
DIGESTS = {
    "bootstrap": "2e98967de0d6be77aa9705722c2eff65df799c9e3b7a5621ba8bb17bdb0dc2a8",
    "promotion": "f620496aba2d681fcfc57454cfe74c0959da03bc91f4fb85be7a8bbbcb6c78ed",
    "rollback": "fdd6fc6df50a52e55ab86a9bc68da9c2521a48f7186a8c436fe62fb4afacab22",
    "forced": "df359fc6fc17f938e5422661ca50c7e0b50595f51ea743ec4b7cefa32c97bbab",
    "without gate": "b56b4d97138cf3bbe0aa24403853c6f7e769bfcec54a86749d3641866470ebab",
}
ORDERS = {
    "hold": Order(
        model_line="support-bot", number=1, kind=OrderKind.HOLD, subject=None, reason="审计 \\ \n", by=OPERATOR, at=NOW,
        promotions=0,
    ),
    "reject": Order(
        model_line="support-bot", number=2, kind=OrderKind.REJECT, subject="support-bot-v3", reason="r", by=OPERATOR,
        at=NOW.astimezone(timezone(timedelta(hours=8))), promotions=7,
    ),
}  # fmt: skip
REPORTS = {"report": a_report(), "full report": a_full_report(), "checked report": a_checked_report()}
VERSIONS = {"base": a_version(0), "version": a_version(2), "full version": a_full_version()}


def written(document: object) -> str:
    return json.dumps(document, allow_nan=False) + "\n"


def golden(name: str) -> str:
    return (GOLDEN / f"{name.replace(' ', '_')}.json").read_text(encoding="ascii")


@pytest.mark.parametrize("name", PROMOTIONS)
def test_a_promotion_is_written_and_read_as_ever(name: str) -> None:
    assert written(promotion_to_json(PROMOTIONS[name])) == golden(name)
    assert promotion_from_json(json.loads(golden(name))) == PROMOTIONS[name]


@pytest.mark.parametrize("name", PROMOTIONS)
def test_a_promotion_has_the_digest_that_it_always_had(name: str) -> None:
    assert entry_digest(PROMOTIONS[name]) == DIGESTS[name]
    canonical = json.dumps(json.loads(golden(name)), sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode("ascii")).hexdigest() == DIGESTS[name]


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_written_and_read_as_ever(name: str) -> None:
    assert written(order_to_json(ORDERS[name])) == golden(name)
    assert order_from_json(json.loads(golden(name))) == ORDERS[name]


@pytest.mark.parametrize("name", REPORTS)
def test_a_gate_report_is_written_and_read_as_ever(name: str) -> None:
    assert written(report_to_json(REPORTS[name])) == golden(name)
    assert report_from_json(json.loads(golden(name))) == REPORTS[name]


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_is_written_as_ever(name: str) -> None:
    assert written(version_to_json(VERSIONS[name])) == golden(name)
    assert version_to_json(version_from_json(json.loads(golden(name)))) == json.loads(golden(name))
