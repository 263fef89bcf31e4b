"""Trading Performance: orders on their way to the broker, and what the portfolios make of them."""

from grafana.boards.board import Board, Row
from grafana.boards.expressions import (
    EACH_PORTFOLIO,
    POSITIONS,
    buckets,
    of_portfolio,
    per_second,
    percentile,
    process,
)
from grafana.boards.panel import CRITICAL, OK, WARNING, Panel, Query
from grafana.boards.shapes import bars, figure, heat, stacked

OUTCOMES = "stratvector_order_outcomes_total"
LATENCY = "order_latency_seconds"
EQUITY = of_portfolio("equity_usd")
PNL = of_portfolio("pnl_usd")
GROSS = f"sum by (portfolio, run) (abs({POSITIONS}))"
NET = f"sum by (portfolio, run) ({POSITIONS})"


def _events(outcomes: str, window: str) -> str:
    """How many there were. outcomes : with `|` in between."""
    selector = process(f'outcome=~"{outcomes}"')
    return f"sum(increase({OUTCOMES}{selector}[{window}]))"


def _share(outcome: str, window: str) -> str:
    """Of the answers to orders, the missing ones included, those with this outcome."""
    return f"{_events(outcome, window)} / {_events('accepted|rejected|unknown', window)}"


AT_A_GLANCE = Row(
    "At a glance",
    (
        Panel(
            title="Profit and loss",
            text="Equity less the initial cash of each portfolio, at its newest decision.",
            unit="currencyUSD",
            shape=figure,
            base=CRITICAL,
            steps=[(0, OK)],
            queries=[Query(PNL, EACH_PORTFOLIO)],
            page="DrawdownNearLimit",
            width=8,
            height=5,
        ),
        Panel(
            title="Orders accepted",
            text="Of the broker's answers in the time shown, the missing ones included, those that "
            "accepted an order.",
            unit="percentunit",
            shape=figure,
            base=CRITICAL,
            steps=[(0.9, WARNING), (0.98, OK)],
            queries=[Query(_share("accepted", "$__range"), "accepted")],
            page="OrderRejectRateHigh",
            width=4,
            height=5,
        ),
        Panel(
            title="Order latency, 99th percentile",
            text="From storing the approval to the broker's acknowledgement, in the time shown.",
            unit="s",
            shape=figure,
            steps=[(0.5, WARNING), (1, CRITICAL)],
            queries=[
                Query(
                    percentile(99, LATENCY, window="$__range"),
                    "99 %",
                )
            ],
            page="OrderLatencyHigh",
            traces_of="execution",
            width=4,
            height=5,
        ),
        Panel(
            title="Orders of unknown outcome",
            text="Orders in the time shown of which the broker did not say what became of them.",
            unit="none",
            shape=figure,
            steps=[(1, CRITICAL)],
            queries=[Query(_events("unknown", "$__range"), "unknown")],
            page="OrderUnknown",
            width=4,
            height=5,
        ),
        Panel(
            title="Orders abandoned",
            text="Orders in the time shown that execution gave up.",
            unit="none",
            shape=figure,
            steps=[(1, WARNING)],
            queries=[Query(_events("abandoned", "$__range"), "abandoned")],
            page="OrderAbandoned",
            width=4,
            height=5,
        ),
    ),
)

ORDERS = Row(
    "Orders",
    (
        Panel(
            title="Order latency",
            text="From storing the approval to the broker's acknowledgement. "
            "The alert is at 1 s for the 99th percentile of a broker.",
            unit="s",
            low=0,
            steps=[(1, CRITICAL)],
            queries=[
                Query(percentile(one, LATENCY, "broker"), f"{{{{broker}}}} {one} %", one == 99)
                for one in (50, 95, 99)
            ],
            page="OrderLatencyHigh",
            traces_of="execution",
        ),
        Panel(
            title="Distribution of order latency",
            text="Acknowledged orders by their latency.",
            unit="s",
            shape=heat,
            queries=[
                Query(
                    buckets(LATENCY),
                    "{{le}}",
                )
            ],
            page="OrderLatencyHigh",
            traces_of="execution",
        ),
        Panel(
            title="Events of orders",
            text="Events per second by outcome; a partial fill is an event of its own.",
            unit="cps",
            low=0,
            shape=stacked,
            queries=[Query(per_second(OUTCOMES, "outcome"), "{{outcome}}")],
            page="OrderRejectRateHigh",
        ),
        Panel(
            title="Execution success",
            text="The broker's answers of the last hour: accepted, rejected, missing (unknown). "
            "One that is missing and comes later counts in both.",
            unit="percentunit",
            low=0,
            high=1,
            queries=[Query(_share(one, "1h"), one) for one in ("accepted", "rejected", "unknown")],
            page="OrderRejectRateHigh",
        ),
    ),
)

PORTFOLIOS = Row(
    "Portfolios",
    (
        Panel(
            title="Equity",
            text="Cash and positions at the newest decision's close.",
            unit="currencyUSD",
            queries=[Query(EQUITY, EACH_PORTFOLIO)],
            page="DrawdownNearLimit",
        ),
        Panel(
            title="Profit and loss over time",
            text="Equity less the initial cash.",
            unit="currencyUSD",
            queries=[Query(PNL, EACH_PORTFOLIO)],
            page="DrawdownNearLimit",
        ),
        Panel(
            title="Exposure",
            text="Positions at their marks as a share of equity: gross adds up their sizes, net "
            "takes short ones off.",
            unit="percentunit",
            queries=[
                Query(f"{GROSS} / {EQUITY}", f"{EACH_PORTFOLIO} gross"),
                Query(f"{NET} / {EQUITY}", f"{EACH_PORTFOLIO} net"),
            ],
        ),
        Panel(
            title="Positions",
            text="The signed value of each position at its mark; short ones are below 0.",
            unit="currencyUSD",
            shape=bars,
            queries=[Query(POSITIONS, "{{portfolio}} {{run}} {{symbol}}")],
        ),
    ),
)

TRADING = Board(
    name="trading",
    title="Trading Performance",
    text="Latency and success of orders, profit and loss, exposure.",
    choices=("service", "instance", "portfolio", "run"),
    rows=(AT_A_GLANCE, ORDERS, PORTFOLIOS),
)
