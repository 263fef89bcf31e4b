"""A result in a dozen lines: for `print`, and as a table for notebooks."""

import html
import math
import textwrap
from typing import TYPE_CHECKING

from stratvector.trading.timestamps import utc_text

if TYPE_CHECKING:
    from stratvector.backtest.result import Result

CAVEATS_SHOWN = 3
WIDTH = 99
NAMES_SHOWN = 3


def text_of(result: "Result") -> str:
    """What ran, over which time, what it was worth, what is doubtful, and where to go on."""
    rows = _rows(result)
    width = max(len(title) for title, _ in rows) + 2
    lines = [_title(result)]
    lines += [f"  {title:<{width}}{_cut(value, WIDTH - width - 2)}" for title, value in rows]
    return "\n".join(lines)


def html_of(result: "Result") -> str:
    """The same as an HTML table, with whole sentences."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(title)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for title, value in _rows(result)
    )
    caption = html.escape(_title(result))
    return f"<table><caption style='text-align:left'>{caption}</caption>{rows}</table>"


def _title(result: "Result") -> str:
    portfolio = result.session.portfolio
    models, symbols = _named(portfolio.model_names), _named(portfolio.symbols)
    return _cut(f"Result of {portfolio.name}: {models} over {symbols}", WIDTH)


def _rows(result: "Result") -> list[tuple[str, str]]:
    metrics, record = result.metrics, result.record
    initial = float(result.session.portfolio.initial_cash)
    benchmark = "none" if result.benchmark is None else result.benchmark.name
    return [
        (
            "closes",
            f"{result.closes:,} from {utc_text(result.first_close)} "
            f"to {utc_text(result.last_close)}",
        ),
        (
            "equity",
            f"{initial:,.2f} to {result.final_equity:,.2f}, "
            f"total return {_percent(metrics['total_return'])}",
        ),
        (
            "per year",
            f"return {_percent(metrics['annualized_return'])}, "
            f"volatility {_percent(metrics['annualized_volatility'])}, "
            f"Sharpe {_number(metrics['sharpe_ratio'])}, "
            f"Sortino {_number(metrics['sortino_ratio'])}",
        ),
        (
            "max drawdown",
            f"{_percent(metrics['max_drawdown'])} at any close, "
            f"{_percent(metrics['max_drawdown_daily'])} daily, "
            f"{metrics['max_drawdown_duration']:,.1f} days under water",
        ),
        (
            "benchmark",
            f"{benchmark} {_percent(result.benchmark_return)}, "
            f"alpha {_percent(metrics['alpha'])}, beta {_number(metrics['beta'])}",
        ),
        (
            "trading",
            f"{len(record.orders.lots):,} orders, {len(record.fills.lots):,} fills, "
            f"{metrics['trades']:,.0f} round trips, win rate {_percent(metrics['win_rate'])}",
        ),
        (
            "costs",
            f"commission {metrics['total_commission']:,.2f}, "
            f"slippage {metrics['total_slippage']:,.2f}",
        ),
        *_caveats(result),
        ("more", ".metrics .equity .orders .fills .trades .halts .caveats .to_pandas()"),
    ]


def _caveats(result: "Result") -> list[tuple[str, str]]:
    caveats = result.caveats
    shown = [("", caveat.sentence) for caveat in caveats[:CAVEATS_SHOWN]]
    return [("caveats", f"{len(caveats):,}" if caveats else "none"), *shown]


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _cut(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" ...")


def _percent(value: float) -> str:
    return f"{value:.2%}" if math.isfinite(value) else "undefined"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "undefined"
