"""charts: equity and drawdown over the session, drawn by ECharts from the page's own server."""

import time
from typing import Any

from nicegui import ui

from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.curve import Point

DRAW_SECONDS_MIN = 1.0
MILLISECOND = 1_000_000  # ns
INK, GRID_LINE = "#8791a5", "rgba(135,145,165,0.18)"
EQUITY, DRAWDOWN = "#3b82f6", "#e5484d"
AXIS_PIXELS = 66
TEXT = {"color": INK, "fontSize": 11}


class Chart:
    """One curve, drawn at most once a second; the browser gets at most a thousand points."""

    def __init__(self, context: PortfolioContext, name: str, options: dict[str, Any]) -> None:
        self._context, self._name = context, name
        self._shown = -1
        self._drawn_at = 0.0
        self._chart = ui.echart(options).classes("chart").props(f'data-testid="{name}-chart"')
        self._empty = ui.label("No close yet: the curve begins with the first one.")
        self._empty.classes("empty")
        self.refresh()

    def refresh(self) -> None:
        """Draw what came since, if the last time is long enough ago."""
        live, now = self._context.live, time.monotonic()
        self._empty.set_visibility(live.curve.closes == 0)
        self._chart.set_visibility(live.curve.closes > 0)
        if live.curve.closes == self._shown or now - self._drawn_at < DRAW_SECONDS_MIN:
            return
        self._shown, self._drawn_at = live.curve.closes, now
        data = drawn(self._name, live.curve.points(), live.curve.start)
        self._chart.options["series"][0]["data"] = data
        self._chart.update()


def drawn(name: str, points: list[Point], start: float) -> list[list[float]]:
    """Pairs of UTC ms and value of the equity's curve (USD), or else of the drawdown's (per cent).

    start : what the account began with. No point, no pair: a page may be opened before any close.
    """
    if name == "equity":
        # The curve begins where the account did, so that the axis reaches the mark.
        begun = [[first.close_time // MILLISECOND, start] for first in points[:1]]
        return begun + [[p.close_time // MILLISECOND, round(p.value, 2)] for p in points]
    return [[p.close_time // MILLISECOND, round(100.0 * p.drawdown, 3)] for p in points]


def equity_chart(context: PortfolioContext) -> Chart:
    """Equity in USD; the axis fits the curve, and what the account began with is marked."""
    start = context.live.curve.start
    series = {
        "type": "line",
        "name": "Equity",
        "showSymbol": False,
        "data": [],
        "lineStyle": {"width": 1.6, "color": EQUITY},
        "itemStyle": {"color": EQUITY},
        "areaStyle": {"color": EQUITY, "opacity": 0.10, "origin": "start"},
        "markLine": {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": INK, "type": "dashed", "width": 1},
            "label": {"formatter": "start", "color": INK, "position": "insideEndTop"},
            "data": [{"yAxis": start}],
        },
    }
    axis = {
        "scale": True,
        "axisLabel": TEXT | {":formatter": "v => v.toLocaleString('en-US')"},
    }
    tooltip = "v => v.toLocaleString('en-US', {minimumFractionDigits: 2}) + ' USD'"
    return Chart(context, "equity", _options(series, axis, tooltip))


def drawdown_chart(context: PortfolioContext) -> Chart:
    """Fall from the peak in per cent, zero at the top; of merged closes, the deepest."""
    series = {
        "type": "line",
        "name": "Drawdown",
        "showSymbol": False,
        "data": [],
        "lineStyle": {"width": 1.2, "color": DRAWDOWN},
        "itemStyle": {"color": DRAWDOWN},
        "areaStyle": {"color": DRAWDOWN, "opacity": 0.18},
    }
    axis = {
        "max": 0,
        ":min": "v => v.min > -1 ? -1 : null",  # null leaves the choice to the axis
        "axisLabel": TEXT | {"formatter": "{value} %"},
    }
    return Chart(
        context, "drawdown", _options(series, axis, "v => v.toFixed(2) + ' %'", slider=True)
    )


def _zooms(slider: bool) -> list[dict[str, Any]]:
    """Both charts have the same ones, by id, so that page.js can connect them.

    A wheel or a finger that scrolls the page still does.
    """
    inside = {
        "id": "inside",
        "type": "inside",
        "filterMode": "none",
        "zoomOnMouseWheel": "ctrl",
        "preventDefaultMouseMove": False,
    }
    bar = {
        "id": "slider",
        "type": "slider",
        "filterMode": "none",
        "show": slider,
        "height": 14,
        "bottom": 4,
        "showDetail": False,
        "brushSelect": False,
        "borderColor": GRID_LINE,
    }
    return [inside, bar]


def _options(
    series: dict[str, Any], axis: dict[str, Any], tooltip: str, slider: bool = False
) -> dict[str, Any]:
    return {
        "animation": False,
        "useUTC": True,
        # The same margins in both charts, so that a close stands below itself.
        "grid": {"left": AXIS_PIXELS, "right": 14, "top": 14, "bottom": 48 if slider else 24},
        "dataZoom": _zooms(slider),
        "tooltip": {
            "trigger": "axis",
            ":valueFormatter": tooltip,
            "confine": True,
            "axisPointer": {"lineStyle": {"color": INK}},
        },
        "xAxis": {
            "type": "time",
            "axisLabel": TEXT | {"hideOverlap": True},
            "axisLine": {"lineStyle": {"color": GRID_LINE}},
            "axisTick": {"show": False},
        },
        "yAxis": {"type": "value", "splitLine": {"lineStyle": {"color": GRID_LINE}}} | axis,
        "series": [series],
    }
