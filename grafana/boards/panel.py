"""One panel: what it shows, in which unit, from which expressions, and where to read on."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DashboardLink as Link
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.boards.shapes import Drawn, heat, lines
from grafana.boards.variables import METRICS_UID

TRACES_UID = "${traces}"
OK, WARNING, CRITICAL = "green", "orange", "red"
Step = tuple[float, str]


@dataclass(frozen=True)
class Query:
    """A PromQL expression, and the legend of its series. exemplars : with points that lead to a
    trace; the expression must name the histogram's own buckets.
    """

    expr: str
    legend: str
    exemplars: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """steps : from each value on, its colour; `base` below the first.

    names : what values are called, and their colours. page : the alert whose section of the runbook
    belongs to it. traces_of : the service whose traces do. width : of 24 columns. height : in rows.
    """

    title: str
    text: str
    unit: str
    queries: Sequence[Query]
    page: str = ""
    shape: Callable[[], Drawn] = lines
    base: str = OK
    steps: Sequence[Step] = ()
    names: Sequence[tuple[float, str, str]] = ()
    low: float | None = None
    high: float | None = None
    traces_of: str | None = None
    width: int = 12
    height: int = 8


def metrics_source() -> DataSourceRef:
    """The data source that the reader chose."""
    return DataSourceRef(type_val="prometheus", uid=METRICS_UID)


def draw(panel: Panel, number: int) -> Drawn:
    """The SDK's builder of a panel. number : its id, unique within the dashboard."""
    drawn = panel.shape()
    drawn.id(number).title(panel.title).description(panel.text).unit(panel.unit)
    drawn.datasource(metrics_source()).links(_links(panel)).thresholds(_thresholds(panel))
    drawn.grid_pos(GridPos(h=panel.height, w=panel.width))
    for place, query in enumerate(panel.queries):
        drawn.with_target(_target(query, chr(ord("A") + place), panel.shape is heat))
    if panel.names:
        drawn.mappings([_mapping(panel)])
    if panel.low is not None:
        drawn.min(panel.low)
    if panel.high is not None:
        drawn.max(panel.high)
    return drawn


def _target(query: Query, ref_id: str, is_buckets: bool) -> Dataquery:
    kind = PromQueryFormat.HEATMAP if is_buckets else PromQueryFormat.TIME_SERIES
    target = Dataquery().ref_id(ref_id).expr(query.expr).legend_format(query.legend).format(kind)
    target.datasource(metrics_source()).range()
    return target.exemplar(True) if query.exemplars else target


def _links(panel: Panel) -> list[Builder[Link]]:
    found = [("Runbook", _runbook_address(panel.page))]
    if panel.traces_of is not None:
        found.append((f"Traces of {panel.traces_of}", _traces_address(panel.traces_of)))
    return [
        DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(True)
        for title, url in found
    ]


def _thresholds(panel: Panel) -> ThresholdsConfig:
    steps = [Threshold(value, colour) for value, colour in panel.steps]
    config = ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE)
    return config.steps([Threshold(None, panel.base), *steps])


def _mapping(panel: Panel) -> ValueMapping:
    results = {
        f"{value:g}": ValueMappingResult(text=text, color=colour)
        for value, text, colour in panel.names
    }
    return ValueMap(options=results)


def _runbook_address(alert: str) -> str:
    """The section of an alert, whose anchor is its name in small letters; the page's beginning
    without. The page's address is the dashboard's constant.
    """
    return f"${{runbook:raw}}#{alert.lower()}" if alert else "${runbook:raw}"


def _traces_address(service: str) -> str:
    """Explore, searching the chosen trace data source for a service in the panel's time range."""
    source = {"type": "jaeger", "uid": TRACES_UID}
    query = {"refId": "A", "datasource": source, "queryType": "search", "service": service}
    pane = {
        "datasource": TRACES_UID,
        "queries": [query],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = json.dumps({"traces": pane}, separators=(",", ":"))
    return f"/explore?schemaVersion=1&panes={quote(panes, safe='${}')}"
