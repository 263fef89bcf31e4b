"""The choices at the top of a dashboard, such as the service and the portfolio."""

from collections.abc import Mapping
from typing import TypeAlias

from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

RUNBOOK = "/runbook"
METRICS_UID = "${metrics}"
# Each process has one of the two: Python's services the first, Monte Carlo the second.
OURS = '__name__=~"stratvector_publish_seconds_count|stratvector_monte_carlo_paths_total"'

Variable: TypeAlias = ConstantVariable | DatasourceVariable | QueryVariable
CHOICES: Mapping[str, tuple[str, str]] = {
    "service": ("Service", f"label_values({{{OURS}}}, job)"),
    "instance": ("Instance", f'label_values({{{OURS},job=~"$service"}}, instance)'),
    "portfolio": ("Portfolio", "label_values(stratvector_portfolio_equity_usd, portfolio)"),
    "run": (
        "Run",
        'label_values(stratvector_portfolio_equity_usd{portfolio=~"$portfolio"}, run)',
    ),
}


def variables(names: tuple[str, ...], has_traces: bool) -> list[Variable]:
    """The data source of metrics, the choices by name, the runbook's address; and, where a panel
    leads to traces, their data source.
    """
    made: list[Variable] = [DatasourceVariable("metrics").label("Metrics").type("prometheus")]
    if has_traces:
        made.append(DatasourceVariable("traces").label("Traces").type("jaeger"))
    made += [_choice(name) for name in names]
    made.append(ConstantVariable("runbook").label("Runbook").value(RUNBOOK))
    return made


def _choice(name: str) -> QueryVariable:
    """Several or all of the values that there are in the dashboard's time."""
    label, query = CHOICES[name]
    source = DataSourceRef(type_val="prometheus", uid=METRICS_UID)
    every = VariableOption(selected=True, text=["All"], value=["$__all"])
    choice = QueryVariable(name).label(label).query(query).datasource(source).current(every)
    choice.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    return choice.multi(True).include_all(True)
