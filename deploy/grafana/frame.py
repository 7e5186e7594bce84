"""What all dashboards share: variables, annotations, links, and the ids of panels."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.panels import BLUE, DATASOURCE, GREEN, ORANGE, RED, Panel
from deploy.grafana.promql import of_all

TAG = "retuned"
#: Where the runbook is read; the chart's values can name another place.
RUNBOOK = "https://github.com/retuned/retuned/blob/main/deploy/docs/runbook.md"
#: Where the daemon's own pages answer: by default only to clients on its machine, such as `kubectl port-forward`.
PAGES = "http://localhost:9464"

#: Events are counters that rose: by name, the counter's series and the colour.
_EVENTS: Mapping[str, tuple[str, str]] = {
    "Alarms": (of_all("retuned_alarms_total"), ORANGE),
    "Promotions": (of_all("retuned_promotions_total", 'kind="promotion"'), GREEN),
    "Rollbacks": (of_all("retuned_promotions_total", 'kind="rollback"'), RED),
}
_STEP = "30s"
#: Two scrapes a minute apart lie in it.
_WITHIN = "2m"


def frame(
    title: str, uid: str, description: str, rows: Sequence[tuple[str, Sequence[Panel]]]
) -> builders.Dashboard:
    """Return a dashboard of titled rows of panels, with ids in their order."""
    board = builders.Dashboard(f"retuned / {title}").uid(uid).description(description).tags([TAG])
    board.refresh("30s").time("now-24h", "now").timezone("browser").tooltip(
        dashboard.DashboardCursorSync.CROSSHAIR
    )
    for variable in _variables():
        board.with_variable(variable)
    for annotation in (*_events(), _runs()):
        board.annotation(annotation)
    for link in _links():
        board.link(link)
    ids = iter(range(1, 1_000))
    for name, panels in rows:
        board.with_row(builders.Row(name).id(next(ids)))
        for panel in panels:
            board.with_panel(panel.id(next(ids)))
    return board


def _variables() -> Sequence[builders.QueryVariable | builders.DatasourceVariable | builders.TextBoxVariable]:
    source = builders.DatasourceVariable("datasource").label("Data source").type("prometheus")
    line = _query_variable("model_line", "Model line", "label_values(retuned_build_info, model_line)")
    instance = _query_variable(
        "instance", "Instance", f"label_values({of_all('retuned_build_info')}, instance)"
    )
    pages = builders.TextBoxVariable("pages").label("Daemon's pages").default_value(PAGES)
    pages.description("Where /reports of the daemon is reached, such as through kubectl port-forward.")
    runbook = builders.TextBoxVariable("runbook").hide(dashboard.VariableHide.HIDE_VARIABLE)
    return source, line, instance, pages, runbook.default_value(RUNBOOK)


def _query_variable(name: str, label: str, query: str) -> builders.QueryVariable:
    """Return a variable with every value chosen. "All" matches series without the label, too."""
    variable = builders.QueryVariable(name).label(label).query({"query": query, "refId": name})
    variable.datasource(DATASOURCE).multi(True).include_all(True).all_value(".*")
    variable.current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
    variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
    return variable.sort(dashboard.VariableSort.ALPHABETICAL_ASC)


class _PrometheusAnnotation(dashboard.AnnotationQuery):
    """An annotation with the fields that Grafana's Prometheus data source reads and the SDK does not know."""

    title_format: str = ""

    def to_json(self) -> dict[str, object]:
        """Return it as Grafana's JSON."""
        return {
            **super().to_json(),
            "step": _STEP,
            "tagKeys": "model_line",
            "titleFormat": self.title_format,
            "textFormat": "{{model_line}}",
        }


class _Annotation(builders.AnnotationQuery):
    """Builds an annotation of Prometheus."""

    def __init__(self, name: str, expression: str, color: str) -> None:
        self._internal = _PrometheusAnnotation(
            name=name, datasource=DATASOURCE, icon_color=color, expr=expression, built_in=None
        )
        self._internal.title_format = name


def _events() -> Sequence[_Annotation]:
    return [
        _Annotation(name, f"sum by (model_line) (increase({series}[{_WITHIN}])) > 0", color)
        for name, (series, color) in _EVENTS.items()
    ]


def _runs() -> _Annotation:
    """Return the times in which a run goes on, as one region each: the gauge is absent without a run."""
    return _Annotation("Runs", f"count by (model_line) ({of_all('retuned_run_progress_ratio')})", BLUE)


def _links() -> Sequence[builders.DashboardLink]:
    others = builders.DashboardLink("Dashboards").type(dashboard.DashboardLinkType.DASHBOARDS)
    others.tags([TAG]).as_dropdown(False).include_vars(True).keep_time(True)
    return (
        others,
        _link("Reports on drift", "${pages}/reports", "What changed, with words, topics and examples"),
        _link("Runbook", "${runbook}", "What to do about each alert"),
    )


def _link(title: str, url: str, tooltip: str) -> builders.DashboardLink:
    link = builders.DashboardLink(title).type(dashboard.DashboardLinkType.LINK).url(url)
    return link.tooltip(tooltip).icon("external link").target_blank(True)
