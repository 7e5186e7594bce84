"""Panels in one style: each with a description, a unit, and what it says without data."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    gauge,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

#: The data source that the reader of a dashboard chooses.
DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"

#: The unit of a loss.
NATS = "suffix:nats/token"
PER_MINUTE = "cpm"
COUNT = "short"


class Query(NamedTuple):
    """One query of a panel, and what it names its series."""

    expression: str
    legend: str


class Value(NamedTuple):
    """How one value is shown."""

    text: str
    color: str


Panel: TypeAlias = (
    stat.Panel | timeseries.Panel | statetimeline.Panel | bargauge.Panel | gauge.Panel | table.Panel
)
_P = TypeVar("_P", bound=Panel)


def figure(
    title: str,
    description: str,
    *queries: Query,
    unit: str = COUNT,
    none: str,
    steps: Sequence[tuple[float, str]] = (),
    values: Mapping[int, Value] | None = None,
    graph: bool = False,
    span: int = 4,
) -> stat.Panel:
    """Return the newest number, with its course behind it if ``graph``.

    ``steps``: from these values on it has these colours. Without ``graph`` the query asks for the end of the time alone:
    what is over then is not shown.
    """
    panel = stat.Panel().title(title).description(description).unit(unit).no_value(none)
    panel.reduce_options(_last()).thresholds(_thresholds(GREEN if steps else GREY, steps)).span(span).height(
        4
    )
    panel.color_mode(common.BigValueColorMode.BACKGROUND_SOLID if values else common.BigValueColorMode.VALUE)
    panel.graph_mode(common.BigValueGraphMode.AREA if graph else common.BigValueGraphMode.NONE)
    if values:
        panel.mappings([_value_map(values)])
    return _with_queries(panel, queries, instant=not graph)


def names(
    title: str,
    description: str,
    *queries: Query,
    none: str,
    colors: Mapping[str, str] | None = None,
    unit: str | None = None,
    span: int = 4,
) -> stat.Panel:
    """Return the names of the series that there are now, each with its value if it has a unit.

    ``colors``: patterns of names and their colours.
    """
    panel = stat.Panel().title(title).description(description).no_value(none).reduce_options(_last())
    panel.text_mode(common.BigValueTextMode.NAME if unit is None else common.BigValueTextMode.VALUE_AND_NAME)
    panel.unit(unit or COUNT).graph_mode(common.BigValueGraphMode.NONE).span(span).height(4)
    panel.color_mode(common.BigValueColorMode.BACKGROUND_SOLID if colors else common.BigValueColorMode.NONE)
    for pattern, color in (colors or {}).items():
        panel.override_by_regexp(pattern, [_fixed(color)])
    return _with_queries(panel, queries, instant=True)


def course(
    title: str,
    description: str,
    *queries: Query,
    unit: str = COUNT,
    none: str = "Nothing in this time",
    span: int = 12,
    height: int = 8,
    stacked: bool = False,
    log: bool = False,
    limit: float | None = None,
    least: float | None = 0,
    steps: bool = False,
    colors: Mapping[str, str] | None = None,
    alarm_lines: str | None = None,
) -> timeseries.Panel:
    """Return lines over time, as ``steps`` where only whole values are true.

    ``limit``: from this value on it is drawn as bad; ``least``: where the axis starts; ``colors``: patterns of names and
    their colours; ``alarm_lines``: the pattern of lines that others are not to reach.
    """
    panel = timeseries.Panel().title(title).description(description).unit(unit).no_value(none)
    panel.span(span).height(height).line_width(1.5).fill_opacity(30 if stacked else 8)
    panel.show_points(common.VisibilityMode.AUTO).tooltip(_all_in_tooltip()).legend(_legend())
    panel.color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    for pattern, color in (colors or {}).items():
        panel.override_by_regexp(pattern, [_fixed(color)])
    if alarm_lines is not None:
        dashes = dashboard.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})
        panel.override_by_regexp(alarm_lines, [_fixed(RED), dashes])
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if stacked or steps:
        panel.line_interpolation(common.LineInterpolation.STEP_AFTER)
    if log:
        panel.scale_distribution(
            common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10)
        )
    elif least is not None:
        panel.axis_soft_min(least)
    if limit is not None:
        panel.thresholds(_thresholds("transparent", [(limit, RED)]))
        panel.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED_AND_AREA)
        )
    return _with_queries(panel, queries)


def states(
    title: str,
    description: str,
    *queries: Query,
    values: Mapping[int, Value] | None = None,
    colors: Mapping[str, str] | None = None,
    none: str = "Nothing in this time",
    span: int = 12,
    height: int = 8,
) -> statetimeline.Panel:
    """Return a row over time for each series, coloured by its value, or by patterns of its name."""
    panel = statetimeline.Panel().title(title).description(description).no_value(none)
    panel.mappings([_value_map(values)] if values else []).thresholds(_thresholds(GREY, ())).unit(COUNT)
    for pattern, color in (colors or {}).items():
        panel.override_by_regexp(pattern, [_fixed(color)])
    panel.span(span).height(height).show_value(common.VisibilityMode.NEVER).fill_opacity(85).row_height(0.8)
    panel.legend(_legend()).color_scheme(
        dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)
    )
    return _with_queries(panel, queries)


def bars(
    title: str,
    description: str,
    *queries: Query,
    unit: str = COUNT,
    none: str,
    steps: Sequence[tuple[float, str]] = (),
    base: str = BLUE,
    most: float | None = None,
    span: int = 8,
    height: int = 8,
) -> bargauge.Panel:
    """Return a bar for each series, with its newest value."""
    panel = bargauge.Panel().title(title).description(description).unit(unit).no_value(none)
    panel.reduce_options(_last()).thresholds(_thresholds(base, steps)).min(0).span(span).height(height)
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    panel.value_mode(common.BarGaugeValueMode.COLOR).show_unfilled(True)
    panel.name_placement(common.BarGaugeNamePlacement.LEFT)
    if most is not None:
        panel.max(most)
    return _with_queries(panel, queries, instant=True)


def share(title: str, description: str, query: Query, *, none: str, span: int = 4) -> gauge.Panel:
    """Return a share of 1, as a gauge."""
    panel = gauge.Panel().title(title).description(description).unit("percentunit").no_value(none)
    panel.reduce_options(_last()).thresholds(_thresholds(BLUE, ())).min(0).max(1).decimals(0)
    panel.show_threshold_markers(False).span(span).height(4)
    return _with_queries(panel, [query], instant=True)


def listing(
    title: str,
    description: str,
    rows: Query,
    labels: Mapping[str, str],
    columns: Mapping[str, tuple[str, str]],
    *,
    none: str,
    span: int = 24,
    height: int = 5,
) -> table.Panel:
    """Return a table.

    ``rows`` gives a series a row; ``labels`` are its labels that are shown, by the heads of their columns; ``columns``
    are queries that have the first of them as their only label, by the heads, as (query, unit).
    """
    panel = table.Panel().title(title).description(description).no_value(none).span(span).height(height)
    heads = {label: head for head, label in labels.items()}
    for place, (head, (_, unit)) in enumerate(columns.items(), start=1):
        heads[f"Value #{_ref_id(place)}"] = head
        panel.override_by_name(head, [dashboard.DynamicConfigValue("unit", unit)])
    hidden = {"Time": True, f"Value #{_ref_id(0)}": True}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": hidden,
                "indexByName": {column: place for place, column in enumerate(heads)},
                "renameByName": heads,
            },
        )
    )
    queries = [rows, *(Query(query, head) for head, (query, _) in columns.items())]
    return _with_queries(panel, queries, instant=True, format_=PromQueryFormat.TABLE)


def _fixed(color: str) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def _with_queries(
    panel: _P, queries: Sequence[Query], *, instant: bool = False, format_: PromQueryFormat | None = None
) -> _P:
    """Give a panel its data source and queries, with the ids A, B, and so on."""
    panel.datasource(DATASOURCE)
    for place, query in enumerate(queries):
        target = prometheus.Dataquery().ref_id(_ref_id(place)).expr(query.expression).datasource(DATASOURCE)
        target.legend_format(query.legend)
        panel.with_target(target.instant() if instant else target.range())
        if format_ is not None:
            target.format(format_)
    return panel


def _ref_id(place: int) -> str:
    return "ABCDEFGHIJKLMNOP"[place]


def _last() -> common_builders.ReduceDataOptions:
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def _thresholds(base: str, steps: Sequence[tuple[float, str]]) -> dashboard_builders.ThresholdsConfig:
    built = [dashboard.Threshold(value=None, color=base)]
    built.extend(dashboard.Threshold(value=value, color=color) for value, color in steps)
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(built)


def _value_map(values: Mapping[int, Value]) -> dashboard.ValueMap:
    options = {
        str(value): dashboard.ValueMappingResult(text=shown.text, color=shown.color, index=index)
        for index, (value, shown) in enumerate(values.items())
    }
    return dashboard.ValueMap(options=options)


def _legend() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    return legend.placement(common.LegendPlacement.BOTTOM).show_legend(True).calcs([])


def _all_in_tooltip() -> common_builders.VizTooltipOptions:
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return tooltip.sort(common.SortOrder.DESCENDING)
