"""How a panel can look: lines, stacked areas, one figure, bars, states over time, a heat map."""

from typing import TypeAlias

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    histogram,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

Drawn: TypeAlias = (
    bargauge.Panel
    | heatmap.Panel
    | histogram.Panel
    | stat.Panel
    | statetimeline.Panel
    | timeseries.Panel
)


def lines() -> timeseries.Panel:
    """A line per series; a threshold is a dashed line. The legend tells last and largest value."""
    style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    panel = timeseries.Panel().legend(_legend()).tooltip(_tooltip()).thresholds_style(style)
    return panel.show_points(VisibilityMode.AUTO).line_width(1)


def stacked() -> timeseries.Panel:
    """Areas on one another, for parts of a whole."""
    stacking = common.StackingConfig().mode(StackingMode.NORMAL).group("A")
    return lines().stacking(stacking).fill_opacity(20)


def figure() -> stat.Panel:
    """The newest value, coloured by its threshold."""
    panel = stat.Panel().reduce_options(_newest()).color_mode(BigValueColorMode.VALUE)
    return panel.graph_mode(BigValueGraphMode.NONE)


def bars() -> bargauge.Panel:
    """A horizontal bar per series, of its newest value."""
    return bargauge.Panel().reduce_options(_newest()).orientation(VizOrientation.HORIZONTAL)


def states() -> statetimeline.Panel:
    """A band per series, in the colours of its values."""
    panel = statetimeline.Panel().tooltip(_tooltip()).merge_values(True)
    return panel.show_value(VisibilityMode.AUTO)


def heat() -> heatmap.Panel:
    """The buckets of a histogram over time."""
    colour = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    axis = heatmap.YAxisConfig().unit("s")
    return heatmap.Panel().calculate(False).color(colour).y_axis(axis).show_legend()


def distribution() -> histogram.Panel:
    """How many series have which value."""
    return histogram.Panel().legend(_legend()).tooltip(_tooltip()).combine(True).fill_opacity(60)


def _legend() -> common.VizLegendOptions:
    options = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).show_legend(True)
    return options.placement(LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)


def _newest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
