"""How values, colours and times become what a picture of a dashboard shows."""

import pytest

from deploy.grafana.pictures import theme
from deploy.grafana.pictures.fields import Fields
from deploy.grafana.pictures.prometheus import Series
from deploy.grafana.pictures.units import worded

NOW = 1_796_000_000.0
PANEL = {
    "fieldConfig": {
        "defaults": {
            "unit": "percentunit",
            "noValue": "No leader",
            "mappings": [{"type": "value", "options": {"0": {"text": "Well", "color": "green"}}}],
            "thresholds": {"steps": [{"value": None, "color": "blue"}, {"value": 1, "color": "red"}]},
        },
        "overrides": [
            {
                "matcher": {"id": "byRegexp", "options": ".*: alarm"},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": "orange"}}],
            }
        ],
    },
}


def a_series(name: str, *values: float) -> Series:
    return Series(name=name, labels={}, times=tuple(float(at) for at in range(len(values))), values=values)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0, "short", "0"),
        (1_234, "short", "1.23 K"),
        (0.5, "percentunit", "50%"),
        (-1e-9, "percentunit", "0%"),
        (0.25, "s", "250 ms"),
        (90, "s", "1.50 mins"),
        (3_600, "s", "1 hour"),
        (86_400 * 10, "s", "1.43 weeks"),
        (1_536 * 1_024, "bytes", "1.50 MiB"),
        (12, "cpm", "12 c/m"),
        (2.5, "suffix:nats/token", "2.50 nats/token"),
        (1, "bool_yes_no", "Yes"),
        ((NOW - 20) * 1_000, "dateTimeFromNow", "a few seconds ago"),
        ((NOW - 3_600) * 1_000, "dateTimeFromNow", "an hour ago"),
        ((NOW - 7_200) * 1_000, "dateTimeFromNow", "2 hours ago"),
    ],
)
def test_values_are_told_in_grafanas_words(value: float, unit: str, words: str) -> None:
    assert worded(value, unit, now=NOW) == words


def test_a_mapped_value_has_its_text_and_colour() -> None:
    fields = Fields(PANEL, now=NOW)

    assert (fields.text(0), fields.color_at(0)) == ("Well", theme.hue("green"))


@pytest.mark.parametrize(("value", "color"), [(0.5, "blue"), (1, "red"), (7, "red")])
def test_other_values_have_the_colour_of_the_threshold_that_they_reach(value: float, color: str) -> None:
    assert Fields(PANEL, now=NOW).color(a_series("chat", value)) == theme.hue(color)


def test_a_pattern_of_names_has_a_colour_of_its_own() -> None:
    assert Fields(PANEL, now=NOW).color(a_series("chat: alarm", 7)) == theme.hue("orange")


@pytest.mark.parametrize("background", ["green", "yellow", "orange", "text"])
def test_text_on_a_light_colour_is_dark(background: str) -> None:
    assert theme.on(theme.hue(background)) == "#111217"
