"""Monte Carlo: are runs answered, how fast, and by how many workers?"""

from grafana.boards.board import Board, Row
from grafana.boards.expressions import PROCESS, buckets, per_second, percentile, process
from grafana.boards.panel import CRITICAL, WARNING, Panel, Query
from grafana.boards.shapes import figure, heat, stacked

RUNS = "stratvector_monte_carlo_runs_total"
PATHS = f"stratvector_monte_carlo_paths_total{PROCESS}"
OPEN = f"stratvector_monte_carlo_open_runs{PROCESS}"
SECONDS = "stratvector_monte_carlo_run_seconds"
SHARDS = f"stratvector_monte_carlo_shards_asked_again_total{PROCESS}"
# Who cancels a run does not want its result.
WITHOUT_RESULT = process('outcome=~"unavailable|late|refused"')
ENDED = f"sum(increase({RUNS}{PROCESS}[$__range]))"
FAILED = f"sum(increase({RUNS}{WITHOUT_RESULT}[$__range])) / {ENDED}"

AT_A_GLANCE = Row(
    "At a glance",
    (
        Panel(
            title="Workers",
            text="Processes of Monte Carlo that Prometheus scrapes.",
            unit="none",
            shape=figure,
            queries=[Query(f"count({PATHS})", "workers")],
            page="MonteCarloShardsLost",
            width=6,
            height=5,
        ),
        Panel(
            title="Runs",
            text="Runs that gave a result in the time shown.",
            unit="none",
            shape=figure,
            queries=[
                Query(
                    f"sum(increase(stratvector_monte_carlo_run_seconds_count{PROCESS}[$__range]))",
                    "runs",
                )
            ],
            page="MonteCarloFailing",
            width=6,
            height=5,
        ),
        Panel(
            title="Runs without a result",
            text="Of the runs that ended in the time shown, those that were refused, came "
            "too late, or that no worker answered.",
            unit="percentunit",
            shape=figure,
            steps=[(0.01, WARNING), (0.1, CRITICAL)],
            queries=[Query(FAILED, "without")],
            page="MonteCarloFailing",
            width=6,
            height=5,
        ),
        Panel(
            title="Time of a run, 95th percentile",
            text="From request to result, of the runs in the time shown.",
            unit="s",
            shape=figure,
            steps=[(10, WARNING), (60, CRITICAL)],
            queries=[
                Query(
                    percentile(95, SECONDS, window="$__range"),
                    "95 %",
                )
            ],
            page="MonteCarloSlow",
            width=6,
            height=5,
        ),
    ),
)

WORK = Row(
    "Runs and workers",
    (
        Panel(
            title="Ended runs",
            text="Runs per second by what became of them.",
            unit="cps",
            low=0,
            shape=stacked,
            queries=[Query(per_second(RUNS, "outcome"), "{{outcome}}")],
            page="MonteCarloFailing",
        ),
        Panel(
            title="Paths of each worker",
            text="Paths per second that each process computed, for itself and for others. Equal "
            "lines share the work evenly.",
            unit="cps",
            low=0,
            shape=stacked,
            queries=[Query(f"rate({PATHS}[$__rate_interval])", "{{instance}}")],
            page="MonteCarloShardsLost",
        ),
        Panel(
            title="Open runs",
            text="Runs that wait for their turn and runs that are under way. KEDA scales by their "
            "sum.",
            unit="none",
            low=0,
            shape=stacked,
            queries=[Query(f"sum by (state) ({OPEN})", "{{state}}")],
            page="MonteCarloQueueLong",
        ),
        Panel(
            title="Time of a run",
            text="From the request of a run to its result.",
            unit="s",
            low=0,
            steps=[(60, CRITICAL)],
            queries=[Query(percentile(one, SECONDS), f"{one} %") for one in (50, 95, 99)],
            page="MonteCarloSlow",
        ),
        Panel(
            title="Distribution of the time of a run",
            text="Runs with a result by their time.",
            unit="s",
            shape=heat,
            queries=[Query(buckets(SECONDS), "{{le}}")],
            page="MonteCarloSlow",
        ),
        Panel(
            title="Shards asked for again",
            text="Shards per second that no worker answered in time.",
            unit="cps",
            low=0,
            steps=[(0.1, WARNING)],
            queries=[Query(f"rate({SHARDS}[$__rate_interval])", "{{instance}}")],
            page="MonteCarloShardsLost",
        ),
        Panel(
            title="Paths for each run",
            text="Paths that all workers computed for each run that ended, over the last hour.",
            unit="short",
            low=0,
            queries=[
                Query(
                    f"sum(increase({PATHS}[1h])) / (sum(increase({RUNS}{PROCESS}[1h])) > 0)",
                    "paths",
                )
            ],
            page="MonteCarloSlow",
        ),
    ),
)

MONTE_CARLO = Board(
    name="monte_carlo",
    title="Monte Carlo",
    text="Runs by outcome and time, paths of each worker, shards that were asked for again.",
    choices=("service", "instance"),
    rows=(AT_A_GLANCE, WORK),
)
