"""The PromQL that many panels share: selectors by the dashboard's choices, rates, percentiles."""

_PROCESS = 'job=~"$service",instance=~"$instance"'
PROCESS = f"{{{_PROCESS}}}"
PORTFOLIO = '{portfolio=~"$portfolio",run=~"$run"}'
EACH_PROCESS = "{{job}} {{instance}}"
EACH_PORTFOLIO = "{{portfolio}} {{run}}"
POSITIONS = f"max by (portfolio, run, symbol) (stratvector_position_notional_usd{PORTFOLIO})"


def process(matcher: str) -> str:
    """The selector of the chosen processes with another matcher, such as `outcome="filled"`."""
    return f"{{{_PROCESS},{matcher}}}"


def of_portfolio(name: str) -> str:
    """A gauge of risk, one series per portfolio and run, whichever process owns it."""
    return f"max by (portfolio, run) (stratvector_portfolio_{name}{PORTFOLIO})"


def per_second(counter: str, by: str) -> str:
    """The rate of a counter of the chosen processes, added up by labels."""
    return f"sum by ({by}) (rate({counter}{PROCESS}[$__rate_interval]))"


def buckets(histogram: str) -> str:
    """The observations of a histogram's buckets since the point before, for a heat map."""
    return f"sum by (le) (increase({histogram}_bucket{PROCESS}[$__rate_interval]))"


def percentile(percent: int, histogram: str, by: str = "", window: str = "$__rate_interval") -> str:
    """Of the observations of a histogram, by labels, in a window."""
    labels = f"le, {by}" if by else "le"
    rates = f"sum by ({labels}) (rate({histogram}_bucket{PROCESS}[{window}]))"
    return f"histogram_quantile({percent / 100:g}, {rates})"
