"""Risk: how near is each portfolio to its limits, and what could it lose in a day?"""

from grafana.boards.board import Board, Row
from grafana.boards.expressions import EACH_PORTFOLIO, PORTFOLIO, POSITIONS, of_portfolio
from grafana.boards.panel import CRITICAL, OK, WARNING, Panel, Query
from grafana.boards.shapes import bars, figure, states

DRAWDOWN = f"min by (portfolio, run) (stratvector_portfolio_drawdown{PORTFOLIO})"
LIMIT_USED = f"{DRAWDOWN} / {of_portfolio('drawdown_limit')}"
VAR = of_portfolio("var_95")
EQUITY = of_portfolio("equity_usd")
SHARES = f"abs({POSITIONS}) / on (portfolio, run) group_left () {EQUITY}"
# The alert is at four fifths of the way to the halt.
USED_STEPS = ((0.8, WARNING), (1, CRITICAL))

AT_A_GLANCE = Row(
    "At a glance",
    (
        Panel(
            title="Portfolios halted",
            text="Portfolios that their drawdown has flattened and halted.",
            unit="none",
            shape=figure,
            steps=[(1, CRITICAL)],
            queries=[Query(f"sum({of_portfolio('halted')})", "halted")],
            page="PortfolioHalted",
            width=4,
            height=6,
        ),
        Panel(
            title="Drawdown limit used",
            text="Drawdown as a share of the one that halts the portfolio; none without one.",
            unit="percentunit",
            shape=bars,
            low=0,
            high=1,
            steps=USED_STEPS,
            queries=[Query(LIMIT_USED, EACH_PORTFOLIO)],
            page="DrawdownNearLimit",
            width=10,
            height=6,
        ),
        Panel(
            title="Value at risk",
            text="The one-day loss that is exceeded with a probability of 5 %, in USD.",
            unit="currencyUSD",
            shape=bars,
            low=0,
            queries=[Query(f"{VAR} * {EQUITY}", EACH_PORTFOLIO)],
            page="ValueAtRiskOld",
            width=10,
            height=6,
        ),
    ),
)

LIMITS = Row(
    "Limits",
    (
        Panel(
            title="Drawdown and its limit",
            text="Fall of equity from its peak; at the limit the portfolio is halted.",
            unit="percentunit",
            high=0,
            queries=[
                Query(DRAWDOWN, EACH_PORTFOLIO),
                Query(of_portfolio("drawdown_limit"), f"{EACH_PORTFOLIO} limit"),
            ],
            page="DrawdownNearLimit",
        ),
        Panel(
            title="Drawdown limit used over time",
            text="Drawdown as a share of the one that halts; the alert is at 80 %.",
            unit="percentunit",
            low=0,
            steps=USED_STEPS,
            queries=[Query(LIMIT_USED, EACH_PORTFOLIO)],
            page="DrawdownNearLimit",
        ),
        Panel(
            title="Halts",
            text="When each portfolio was halted by its drawdown.",
            unit="none",
            shape=states,
            names=[(0, "trading", OK), (1, "halted", CRITICAL)],
            queries=[Query(of_portfolio("halted"), EACH_PORTFOLIO)],
            page="PortfolioHalted",
        ),
        Panel(
            title="Factor of the drawdown",
            text="The factor on all targets that the drawdown asks for; below 1 risk is reduced.",
            unit="none",
            low=0,
            high=1,
            queries=[Query(of_portfolio("drawdown_factor"), EACH_PORTFOLIO)],
            page="DrawdownNearLimit",
        ),
    ),
)

LIMITS_USED = f"max by (portfolio, run, limit) (stratvector_portfolio_limit_used{PORTFOLIO})"

LOSSES = Row(
    "Value at risk and concentration",
    (
        Panel(
            title="Limits used",
            text="At the newest decision, what is used of each cap that the portfolio has; above 1 "
            "the market has moved since. Caps scale orders and halt nothing.",
            unit="percentunit",
            low=0,
            steps=[(1, WARNING)],
            queries=[Query(LIMITS_USED, "{{portfolio}} {{run}} {{limit}}")],
            width=24,
        ),
        Panel(
            title="Value at risk as a share of equity",
            text="Monte Carlo's one-day loss at 95 %; a larger one is expected on one day in 20.",
            unit="percentunit",
            low=0,
            queries=[Query(VAR, EACH_PORTFOLIO)],
            page="ValueAtRiskOld",
        ),
        Panel(
            title="Age of the value at risk",
            text="Event time since the close whose portfolio it describes. It stays in force while "
            "Monte Carlo is away; outside of replays the alert is at 5 days.",
            unit="s",
            low=0,
            steps=[(5 * 86_400, WARNING)],
            queries=[Query(of_portfolio("var_age_seconds"), EACH_PORTFOLIO)],
            page="ValueAtRiskOld",
        ),
        Panel(
            title="Leverage",
            text="The sizes of all positions at their marks, for each USD of equity.",
            unit="none",
            low=0,
            queries=[Query(f"sum by (portfolio, run) ({SHARES})", EACH_PORTFOLIO)],
        ),
        Panel(
            title="Largest position",
            text="The largest position of each portfolio as a share of its equity.",
            unit="percentunit",
            low=0,
            queries=[Query(f"max by (portfolio, run) ({SHARES})", EACH_PORTFOLIO)],
        ),
    ),
)

RISK = Board(
    name="risk",
    title="Risk",
    text="Limits used, halts, value at risk, leverage and concentration.",
    choices=("portfolio", "run"),
    rows=(AT_A_GLANCE, LIMITS, LOSSES),
)
