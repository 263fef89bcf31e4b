"""What a person reads after a run: counts, performance, models and why nothing was ordered."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from stratvector.cli.fitted_table import Column, Fitted, print_tables

CAVEATS_OF_A_KIND_MAX = 3

MONEY, FRACTION, NUMBER, WHOLE, DAYS = "money", "fraction", "number", "whole", "days"
UNDEFINED = "–"
PAIR = (Column("", words=True), Column(""))

PERFORMANCE = (
    ("total return", "total_return", FRACTION),
    ("CAGR", "annualized_return", FRACTION),
    ("volatility", "annualized_volatility", FRACTION),
    ("Sharpe", "sharpe_ratio", NUMBER),
    ("Sortino", "sortino_ratio", NUMBER),
    ("Calmar", "calmar_ratio", NUMBER),
    ("max drawdown, any close", "max_drawdown", FRACTION),
    ("max drawdown, daily", "max_drawdown_daily", FRACTION),
    ("VaR 95 %, daily", "var_95", FRACTION),
    ("win rate", "win_rate", FRACTION),
    ("profit factor, closed trades", "profit_factor", NUMBER),
    ("round trips", "trades", WHOLE),
    ("alpha", "alpha", FRACTION),
    ("beta", "beta", NUMBER),
    ("information ratio", "information_ratio", NUMBER),
    ("turnover per year", "turnover", NUMBER),
    ("exposure", "exposure", FRACTION),
    ("commission", "total_commission", MONEY),
    ("slippage", "total_slippage", MONEY),
    ("BPS", "bps", NUMBER),
)
BPS_SENTENCE = (
    "BPS is the balanced performance score, 0.4 Sharpe + 0.3 CAGR + 0.2 win rate - "
    "0.1 max drawdown: above 0.80 is good, above 1.00 excellent, above 1.20 outstanding."
)


def print_summary(console: Console, document: dict[str, Any]) -> None:
    """Print a finished run, then the sentences that belong to it."""
    console.print()
    print_tables(console, _session(document), _performance(document))
    print_tables(console, _models(document), _rejections(document))
    console.print(Group(*_remarks(document)), soft_wrap=True)
    if document["results"] is not None:
        console.print(f"results: {document['results']}", soft_wrap=True)


def shown(value: float | None, kind: str) -> str:
    """A figure as a person reads it; an undefined one is a dash."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if kind == FRACTION:
        return f"{value:.2%}"
    if kind == WHOLE:
        return f"{value:,.0f}"
    return f"{value:,.2f}"


def _session(document: dict[str, Any]) -> Fitted:
    rows = [
        ("first close", document["first_close"].replace("T", " ")),
        ("last close", document["last_close"].replace("T", " ")),
        *(
            (name.replace("_", " "), shown(document[name], WHOLE))
            for name in ("close_times", "bars", "signals", "orders", "fills")
        ),
        *_halts(document),
        *_value_at_risk(document),
        ("initial equity", shown(document["initial_equity"], MONEY)),
        ("final equity", shown(document["final_equity"], MONEY)),
        ("seconds", shown(document["seconds"], NUMBER)),
        ("close times per s", shown(document["close_times_per_s"], WHOLE)),
    ]
    return Fitted(f"Portfolio {document['portfolio']}", PAIR, tuple(rows))


def _performance(document: dict[str, Any]) -> Fitted:
    metrics = document["metrics"]
    rows = [(title, shown(metrics[key], kind)) for title, key, kind in PERFORMANCE]
    return Fitted("Performance", PAIR, tuple(rows))


def _models(document: dict[str, Any]) -> Fitted:
    rows = [
        (
            name,
            shown(model["profit"], MONEY),
            shown(model["commission"], MONEY),
            shown(model["fills"], WHOLE),
            *_drift(document, name),
        )
        for name, model in document["models"].items()
    ]
    columns = (
        Column("", words=True),
        Column("profit"),
        Column("commission", rank=2),
        Column("fills", rank=3),
    )
    drift = (Column("drift", rank=1),) if "drift" in document else ()
    return Fitted("Models", (*columns, *drift), tuple(rows))


def _halts(document: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """How long a drawdown stopped trading, since when (the last time) and why."""
    halts = [halt for halt in document["halts"] if halt["rule"] == "drawdown_halt"]
    if not halts:
        return
    closes, last = sum(halt["closes"] for halt in halts), halts[-1]
    yield "halted closes", f"{closes:,} of {document['close_times']:,}"
    yield "halted since", last["since"].replace("T", " ")
    yield "halted at drawdown", shown(last["value"], FRACTION)
    yield "its limit", shown(last["limit"], FRACTION)


def _value_at_risk(document: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Where a Monte Carlo service was asked: the loss of one day, fraction of equity."""
    if (figure := document.get("monte_carlo")) is not None:
        yield "VaR 95 %, Monte Carlo", shown(figure["var_95"], FRACTION)
        yield "CVaR 95 %, Monte Carlo", shown(figure["cvar_95"], FRACTION)


def _drift(document: dict[str, Any], model: str) -> Iterable[str]:
    if "drift" in document:
        found = document["drift"].get(model)
        yield shown(found["score"] if found else None, NUMBER)


def _rejections(document: dict[str, Any]) -> Fitted:
    rows = [(name, shown(count, WHOLE)) for name, count in document["rejections"].items()]
    columns = (Column("", words=True), Column("times"))
    return Fitted("Not ordered, by reason", columns, tuple(rows) or (("none", "0"),))


def _remarks(document: dict[str, Any]) -> list[RenderableType]:
    remarks: list[RenderableType] = [
        Text(f"note: {sentence}", style="yellow") for sentence in told_caveats(document["caveats"])
    ]
    remarks += [Text(f"note: {sentence}") for sentence in _missing_figures(document)]
    if (benchmark := document["benchmark"]) is not None:
        gained = shown(benchmark["total_return"], FRACTION)
        compared = f"alpha and beta compare with {benchmark['name']}, total return {gained}"
        remarks.append(Text(compared, style="dim"))
    if shown(document["metrics"]["bps"], NUMBER) != UNDEFINED:
        remarks.append(Text(BPS_SENTENCE, style="dim"))
    if document["working_at_end"]:
        remarks.append(
            Text(f"note: orders that still wait for their next bar: {document['working_at_end']}")
        )
    if not document["fills"]:
        remarks.append(Text(no_trade_sentence(document), style="bold"))
    return remarks


def told_caveats(caveats: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Sentences of caveats; of many of one kind, as a wide universe has, the first and a count."""
    kinds = Counter(caveat["code"] for caveat in caveats)
    told: Counter[str] = Counter()
    for caveat in caveats:
        code = caveat["code"]
        told[code] += 1
        if told[code] <= CAVEATS_OF_A_KIND_MAX:
            yield caveat["sentence"]
        elif told[code] == kinds[code]:
            more = kinds[code] - CAVEATS_OF_A_KIND_MAX
            yield f"{more} more of the kind {code}; result.json and --json hold all of them."


def _missing_figures(document: dict[str, Any]) -> Iterable[str]:
    """Why a figure that would stand in the tables does not."""
    if reason := document.get("monte_carlo", {}).get("reason"):
        yield f"no value at risk: {reason}"
    for model, found in document.get("drift", {}).items():
        if found["reason"]:
            yield f"no drift score of {model}: {found['reason']}"


def no_trade_sentence(document: dict[str, Any]) -> str:
    """Why a session without a fill had none, as far as its counts tell."""
    if document["orders"]:
        return f"No trade: {document['orders']} orders were approved, but no bar filled them."
    reasons = ", ".join(f"{name} {count}" for name, count in document["rejections"].items())
    if reasons:
        return f"No trade: no order was approved; symbols were turned down for {reasons}."
    return "No trade: no model asked for a position; models that warm up ask for none."
