"""tiles: the account in six figures."""

import math

from stratvector.services.gateway.console.markup import broken, escaped, gain, money, tone
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.staleness import stale_score, stale_value_at_risk
from stratvector.services.gateway.words import NOTHING, minute, percent


def tiles(context: PortfolioContext) -> str:
    """All six."""
    return f'<div class="tiles">{"".join((*_account(context), *_asked(context)))}</div>'


def _account(context: PortfolioContext) -> tuple[str, ...]:
    live = context.live
    if live.decision is None:
        waiting = "no close yet"
        words = (("Equity", "equity"), ("P&L", "pnl"), ("Drawdown", "drawdown"))
        return tuple(
            _tile(title, name, NOTHING, waiting)
            for title, name in (*words, ("Last close", "last-close"))
        )
    curve, decision = live.curve, live.decision
    earned = curve.value - curve.start
    factor, worst = decision.drawdown_factor, percent(curve.max_drawdown)
    scaled = "" if factor == 1.0 else f", targets scaled by {factor:g}"
    state = _state(decision.halted, decision.reduce_only)
    return (
        _tile("Equity", "equity", money(curve.value), f"USD, began with {money(curve.start)}"),
        _tile("P&L", "pnl", gain(earned), percent(earned / curve.start, sign=True), tone(earned)),
        _tile(
            "Drawdown",
            "drawdown",
            percent(curve.drawdown),
            f"worst, any close: {worst}{scaled}",
            tone(curve.drawdown),
        ),
        _tile(
            "Last close",
            "last-close",
            minute(decision.close_time),
            f"UTC, {_closes(curve.closes, live.closes)}, {state}",
        ),
    )


def _closes(done: int, whole: int | None) -> str:
    return f"{done:,} closes" if whole is None else f"{done:,} of {whole:,} closes"


def _state(halted: bool, reduce_only: bool) -> str:
    if halted:
        return "halted"
    return "reduce only" if reduce_only else "active"


def _asked(context: PortfolioContext) -> tuple[str, str]:
    cached = context.cached
    worst = cached.worst_drift
    if worst is None:
        drift = _tile("Worst drift", "drift", NOTHING, _no_drift(context))
    else:
        about, mood = f"{worst.model}, {worst.band}", f"mood-{worst.band}"
        stale = cached.troubles.get("drift") or stale_score(context.live, worst)
        drift = _tile("Worst drift", "drift", f"{worst.score:.2f}", about, mood, stale)
    return _value_at_risk(context), drift


def _value_at_risk(context: PortfolioContext) -> str:
    cached = context.cached
    known = None if cached.risk is None else cached.risk.value_at_risk
    trouble = cached.troubles.get("risk") or (cached.risk.trouble if cached.risk else "")
    if known is None:
        return _tile("VaR 95, Monte Carlo", "var-95", NOTHING, trouble or "none recorded yet")
    about = f"CVaR {percent(known.cvar_95)}, of {minute(known.as_of)}"
    stale = stale_value_at_risk(context.live, known) or trouble
    title = f"VaR 95, Monte Carlo {known.horizon_days:g} d"
    return _tile(title, "var-95", percent(known.var_95), about, stale=stale)


def _no_drift(context: PortfolioContext) -> str:
    if trouble := context.cached.troubles.get("drift"):
        return trouble
    reasons = [score.reason for score in context.cached.scores.values() if math.isnan(score.score)]
    return reasons[0] if reasons else "no model is scored yet"


def _tile(title: str, name: str, figure: str, about: str, mood: str = "", stale: str = "") -> str:
    """stale : why the figure is out of date, empty when it is not."""
    mark = f'<b class="stale" data-testid="{name}-stale">stale</b> ' if stale else ""
    about = f"{stale}; {about}" if stale else about
    mood = "old" if stale else mood
    return (
        f'<div class="tile"><div class="tile-title">{escaped(title)}</div>'
        f'<div class="tile-figure {mood}" data-testid="{name}">{escaped(figure)}</div>'
        f'<div class="tile-about" data-testid="{name}-about" title="{escaped(about)}">'
        f"{mark}{broken(about)}</div></div>"
    )
