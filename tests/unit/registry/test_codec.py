import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.codec import (
    BadDocument,
    promotion_from_json,
    promotion_to_json,
    report_from_json,
    report_to_json,
    version_from_json,
    version_to_json,
)
from registry.history import entry_digest
from registry.names import VersionName
from registry.types import (
    Actor,
    CheckReport,
    Figure,
    GateReport,
    Lineage,
    Measure,
    OffsetRange,
    Promotion,
    PromotionKind,
    SliceReport,
    Version,
)
from tests.factories.registry import NOW, a_history, a_report, a_version

NUMBERS = st.floats(allow_nan=False)
COUNTS = st.integers(0, 2**53)
NAMES = st.builds(VersionName, st.sampled_from(["bot", "support-bot"]), st.integers(0, 10**9 - 1))
TIMES = st.datetimes(
    min_value=datetime(1971, 1, 1), max_value=datetime(9000, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))]),
)  # fmt: skip
FREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
SLICES = st.builds(
    SliceReport, conversations=COUNTS, clusters=COUNTS, live_loss=NUMBERS, candidate_loss=NUMBERS,
    difference=NUMBERS, lower=NUMBERS, upper=NUMBERS, needed=COUNTS, measure=st.sampled_from(Measure),
)  # fmt: skip
CHECKS = st.builds(
    CheckReport, prompts=COUNTS, live_failed=COUNTS, candidate_failed=COUNTS, worse=COUNTS, better=COUNTS,
    p_value=NUMBERS, smallest_harm=NUMBERS,
)  # fmt: skip
FIGURES = st.builds(Figure, live=NUMBERS, candidate=NUMBERS, count=COUNTS)
REPORTS = st.builds(
    GateReport, alpha=NUMBERS, look=COUNTS, slices=st.lists(SLICES, max_size=2).map(tuple),
    against=st.none() | NAMES, checks=st.lists(CHECKS, max_size=2).map(tuple),
    figures=st.lists(FIGURES, max_size=2).map(tuple),
)  # fmt: skip
PROMOTIONS = st.builds(
    Promotion, version=NAMES, previous=st.none() | NAMES, at=TIMES, position=COUNTS, gate=st.none() | REPORTS,
    by=st.builds(Actor), kind=st.sampled_from(PromotionKind),
)  # fmt: skip
VERSIONS = st.builds(
    Version, name=NAMES, size_bytes=COUNTS, created_at=TIMES,
    lineage=st.builds(
        Lineage, parent=st.none() | NAMES, settings=st.dictionaries(st.text(), FREE, max_size=3), seed=st.integers(),
        packages=st.dictionaries(st.text(), st.text(), max_size=2),
        sources=st.lists(st.builds(OffsetRange), max_size=2).map(tuple),
        conversations=st.integers(0, 10**9),
    ),
)  # fmt: skip


def through_text(document: object) -> object:
    """What a database gives back: strict JSON, written and read."""
    return json.loads(json.dumps(document, allow_nan=False))


@given(PROMOTIONS)
def test_a_promotion_is_read_as_it_was_written(entry: Promotion) -> None:
    again = promotion_from_json(through_text(promotion_to_json(entry)))

    assert again == entry
    assert entry_digest(again) == entry_digest(entry)


@given(REPORTS)
def test_a_gate_report_is_read_as_it_was_written(report: GateReport) -> None:
    assert report_from_json(through_text(report_to_json(report))) == report


@given(VERSIONS)
def test_a_version_is_read_as_it_was_written(version: Version) -> None:
    assert version_from_json(through_text(version_to_json(version))) == version


def test_a_digest_does_not_depend_on_the_time_zone() -> None:
    entry = a_history("0").entries[0]
    elsewhere = replace(entry, at=entry.at.astimezone(timezone(timedelta(hours=8))))

    assert entry_digest(elsewhere) == entry_digest(entry)


def test_a_digest_is_the_same_in_every_release() -> None:
    """A ledger written today has to verify for ever: a field that is added later is left out where it has its default."""
    assert entry_digest(a_history("0", "3").entries[1]) == (
        "f620496aba2d681fcfc57454cfe74c0959da03bc91f4fb85be7a8bbbcb6c78ed"
    )


def test_a_tuple_in_free_form_settings_becomes_a_list() -> None:
    version = a_version(1)
    lineage = replace(version.lineage, settings={"target_modules": ("q_proj", "v_proj")})
    again = version_from_json(version_to_json(replace(version, lineage=lineage)))

    assert again.lineage.settings == {"target_modules": ["q_proj", "v_proj"]}


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1: 2}, {"deep": [b"bytes"]}])
def test_settings_that_json_can_not_hold_are_refused(value: object) -> None:
    lineage = replace(a_version(1).lineage, settings={"rate": value})

    with pytest.raises(BadDocument, match=r"version\.lineage\.settings\.rate"):
        version_to_json(replace(a_version(1), lineage=lineage))


def test_a_loss_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadDocument, match="alpha"):
        report_to_json(replace(a_report(), alpha=math.nan))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(BadDocument, match="created_at"):
        version_to_json(replace(a_version(1), created_at=NOW.replace(tzinfo=None)))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda d: d.pop("digest"), "version.digest: Field required"),
        (lambda d: d.update(colour="red"), "version.colour: Unexpected keyword argument"),
        (lambda d: d.update(digest=None), "version.digest: Input should be a valid string"),
        (lambda d: d.update(size_bytes="12"), "version.size_bytes: Input should be a valid integer"),
        (lambda d: d.update(size_bytes=True), "version.size_bytes: Input should be a valid integer"),
        (lambda d: d.update(size_bytes=1.0), "version.size_bytes: Input should be a valid integer"),
        (lambda d: d.update(name="no version"), "version.name"),
        (lambda d: d.update(created_at="yesterday"), "version.created_at: .*Invalid isoformat string"),
        (lambda d: d.update(created_at="2026-11-24T12:00:00"), "version.created_at: .* has no time zone"),
        (lambda d: d.update(lineage=[]), "version.lineage: Input should be an object"),
        (
            lambda d: d["lineage"].update(parent=7),
            "version.lineage.parent: .*expected the name of a version as text",
        ),
        (lambda d: d["lineage"].update(settings=None), "version.lineage.settings: Input should be an object"),
        (
            lambda d: d["lineage"].update(packages={"torch": 2}),
            "version.lineage.packages.torch: Input should be a valid string",
        ),
        (lambda d: d["lineage"].update(sources={}), "version.lineage.sources: Input should be a valid array"),
        (
            lambda d: d["lineage"]["sources"][0].pop("last"),
            r"version.lineage.sources\[0\].last: Field required",
        ),
        (lambda d: d["lineage"]["settings"].update(rank=math.nan), r"version.lineage.settings.rank: .*nan"),
        (lambda d: d.update(created_at=1700000000), "version.created_at: .*expected a time as text"),
        (lambda d: d["lineage"].update(conversations="many"), r"version.lineage.conversations"),
    ],
)
def test_a_damaged_version_is_refused_with_the_place(change: Change, where: str) -> None:
    document: dict[str, Any] = version_to_json(a_version(2))
    change(document)

    with pytest.raises(BadDocument, match=where):
        version_from_json(document)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (
            lambda d: d.update(verdict="maybe"),
            "gate report.verdict: Input should be 'promote', 'reject' or 'inconclusive'",
        ),
        (lambda d: d.update(alpha="0.05"), "gate report.alpha: Input should be a valid number"),
        (lambda d: d.update(alpha=True), "gate report.alpha: Input should be a valid number"),
        (lambda d: d.update(alpha=math.nan), "gate report.alpha: Input should be a finite number"),
        (lambda d: d.update(alpha=math.inf), "gate report.alpha: Input should be a finite number"),
        (lambda d: d.pop("slices"), "gate report.slices: Field required"),
        (lambda d: d.pop("against"), "gate report.against: Field required"),
        (lambda d: d["slices"][0].pop("upper"), r"gate report.slices\[0\].upper: Field required"),
    ],
)
def test_a_damaged_report_is_refused_with_the_place(change: Change, where: str) -> None:
    document: dict[str, Any] = report_to_json(a_report())
    change(document)

    with pytest.raises(BadDocument, match=where):
        report_from_json(document)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda d: d.update(forced=0), "promotion.forced: Input should be a valid boolean"),
        (lambda d: d.pop("gate"), "promotion.gate: Field required"),
        (lambda d: d.pop("previous_digest"), "promotion.previous_digest: Field required"),
        (lambda d: d.update(gate=[]), "promotion.gate: Input should be an object"),
        (lambda d: d["by"].pop("name"), "promotion.by.name: Field required"),
        (lambda d: d["by"].update(host="h"), "promotion.by.host: Unexpected keyword argument"),
    ],
)
def test_a_damaged_promotion_is_refused_with_the_place(change: Change, where: str) -> None:
    document: dict[str, Any] = promotion_to_json(a_history("0").entries[0])
    change(document)

    with pytest.raises(BadDocument, match=where):
        promotion_from_json(document)


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_what_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(BadDocument, match="version: Input should be an object"):
        version_from_json(document)
