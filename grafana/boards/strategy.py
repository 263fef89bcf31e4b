"""Strategy Monitoring: is each model what it was, and what does it want?"""

from grafana.boards.board import Board, Row
from grafana.boards.expressions import EACH_PORTFOLIO, PORTFOLIO, POSITIONS, of_portfolio
from grafana.boards.panel import CRITICAL, WARNING, Panel, Query
from grafana.boards.shapes import bars, distribution, stacked

DRIFT = f"max by (portfolio, run, model) (strategy_drift_score{PORTFOLIO})"
WEIGHT = f"max by (portfolio, run, model, symbol) (stratvector_signal_weight{PORTFOLIO})"
EQUITY = of_portfolio("equity_usd")
FACTOR = of_portfolio("drawdown_factor")
MODEL = f"{EACH_PORTFOLIO} {{{{model}}}}"
# config/drift.yaml: warning and critical.
DRIFT_STEPS = ((0.5, WARNING), (0.8, CRITICAL))

DRIFTING = Row(
    "Drift",
    (
        Panel(
            title="Drift score",
            text="How far a model has moved from its reference, from 0 to 1; no value until it is "
            "known. From 0.5 on it is worth a look, from 0.8 on the model is not what it was.",
            unit="none",
            low=0,
            high=1,
            steps=DRIFT_STEPS,
            queries=[Query(DRIFT, MODEL)],
            page="DriftHigh",
        ),
        Panel(
            title="Newest drift score",
            text="The newest score of each model.",
            unit="none",
            shape=bars,
            low=0,
            high=1,
            steps=DRIFT_STEPS,
            queries=[Query(DRIFT, MODEL)],
            page="DriftHigh",
            width=6,
        ),
        Panel(
            title="Checks for drift",
            text="Scheduled checks of a portfolio's models, in the last day.",
            unit="none",
            low=0,
            queries=[
                Query(
                    "sum by (portfolio, run) "
                    f"(increase(stratvector_strategy_drift_checks_total{PORTFOLIO}[1d]))",
                    EACH_PORTFOLIO,
                )
            ],
            page="DriftHigh",
            width=6,
        ),
    ),
)

SIGNALS = Row(
    "Signals",
    (
        Panel(
            title="Signal weights",
            text="Newest target weight of each symbol, as a share of the model's budget; a gap: "
            "the target before is kept.",
            unit="percentunit",
            queries=[Query(WEIGHT, "{{model}} {{symbol}}")],
        ),
        Panel(
            title="Distribution of signal weights",
            text="How many targets had which weight in the time shown.",
            unit="percentunit",
            shape=distribution,
            queries=[Query(WEIGHT, "{{model}} {{symbol}}")],
        ),
        Panel(
            title="Long, short and flat",
            text="Symbols that each model wants to hold, to be short of, or not to hold.",
            unit="none",
            low=0,
            shape=stacked,
            queries=[
                Query(
                    f"count by (portfolio, run, model) ({WEIGHT} {comparison} 0)",
                    f"{{{{model}}}} {name}",
                )
                for comparison, name in ((">", "long"), ("<", "short"), ("==", "flat"))
            ],
        ),
        Panel(
            title="Budget in use",
            text="The sizes of a model's target weights added up: 100 % uses all of its budget.",
            unit="percentunit",
            low=0,
            queries=[Query(f"sum by (portfolio, run, model) (abs({WEIGHT}))", MODEL)],
        ),
    ),
)

HOLDINGS = Row(
    "Positions and multipliers",
    (
        Panel(
            title="Position sizes",
            text="Value of each position at its mark, as a share of equity; short ones below 0.",
            unit="percentunit",
            queries=[
                Query(
                    f"{POSITIONS} / on (portfolio, run) group_left () {EQUITY}",
                    f"{EACH_PORTFOLIO} {{{{symbol}}}}",
                )
            ],
        ),
        Panel(
            title="Multiplier of the drawdown",
            text="The factor on all targets of a portfolio: 1 as the models want, 0 flat.",
            unit="none",
            low=0,
            high=1,
            queries=[Query(FACTOR, EACH_PORTFOLIO)],
            page="DrawdownNearLimit",
            width=6,
        ),
        Panel(
            title="Decisions without signals",
            text="Decisions of the last hour that went without a model's signals; none in replays.",
            unit="none",
            low=0,
            steps=[(1, WARNING)],
            queries=[
                Query(
                    "sum by (portfolio, run, model) "
                    f"(increase(stratvector_signals_late_total{PORTFOLIO}[1h]))",
                    MODEL,
                )
            ],
            page="SignalsLate",
            traces_of="strategy",
            width=6,
        ),
    ),
)

STRATEGY = Board(
    name="strategy",
    title="Strategy Monitoring",
    text="Drift scores, signals and their distribution, position sizes, multipliers.",
    choices=("portfolio", "run"),
    rows=(DRIFTING, SIGNALS, HOLDINGS),
    since="now-2d",
)
