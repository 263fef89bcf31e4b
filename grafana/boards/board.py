"""A dashboard: rows of panels, and the JSON that Grafana reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink
from grafana_foundation_sdk.builders.dashboard import Row as DrawnRow
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType

from grafana.boards.panel import Panel, draw
from grafana.boards.variables import variables

TAG = "stratvector"


@dataclass(frozen=True)
class Row:
    """A heading and what stands below it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Board:
    """name : the JSON file's, and the end of the uid. choices : names of `variables.CHOICES`.

    since : the beginning of the time shown at first, in Grafana's words.
    """

    name: str
    title: str
    text: str
    choices: tuple[str, ...]
    rows: Sequence[Row]
    since: str = "now-6h"


def text_of(board: Board) -> str:
    """The JSON of a dashboard, the same for the same code."""
    return json.dumps(_drawn(board).build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _drawn(board: Board) -> Dashboard:
    has_traces = any(panel.traces_of for row in board.rows for panel in row.panels)
    drawn = Dashboard(board.title).uid(f"{TAG}-{board.name.replace('_', '-')}")
    drawn.description(board.text).tags([TAG, board.name]).readonly().timezone("utc")
    drawn.time(board.since, "now").refresh("30s").tooltip(DashboardCursorSync.CROSSHAIR)
    drawn.link(_others())
    for variable in variables(board.choices, has_traces):
        drawn.with_variable(variable)
    numbers = count(1)
    for row in board.rows:
        drawn.with_row(DrawnRow(row.title).id(next(numbers)))
        for panel in row.panels:
            drawn.with_panel(draw(panel, next(numbers)))
    return drawn


def _others() -> DashboardLink:
    """The other dashboards, with the same choices and the same time."""
    link = DashboardLink("StratVector").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).include_vars(True).keep_time(True)
