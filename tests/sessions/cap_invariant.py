"""I5, checked from decisions alone: no approved order raises an exposure above its cap, at decision
prices, with all working orders filled. Plain Python, nothing of the engine.
"""

from collections.abc import Callable, Iterable, Mapping

from stratvector.trading.instruments import Instrument
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio

TOLERANCE = 1e-9


def broken_caps(
    portfolio: Portfolio,
    decision: Decision,
    positions: Mapping[str, int],
    working: Mapping[str, int],
    marks: Mapping[str, float],
) -> list[str]:
    """The caps that an order of the decision breaks.

    positions, working : lots per symbol before the decision, cancelled orders left out of working.
    marks : last known closes.
    """
    ordered = {order.symbol: order.lots for order in decision.orders}
    exposure: dict[str, float] = {}
    raised: set[str] = set()
    for instrument in portfolio.instruments:
        symbol = instrument.symbol
        before = positions.get(symbol, 0) + working.get(symbol, 0)
        after = before + ordered.get(symbol, 0)
        value = float(instrument.lot_size) * marks.get(symbol, 0.0)
        exposure[symbol] = after * value / decision.equity
        if ordered.get(symbol) and abs(after) > abs(before):
            raised.add(symbol)
    return [
        f"{name} {members} at {total} above {cap} at {decision.close_time}"
        for name, members, total, cap in _caps(portfolio, exposure, decision.equity)
        if raised & set(members) and total > cap + TOLERANCE
    ]


def _caps(
    portfolio: Portfolio, exposure: Mapping[str, float], equity: float
) -> Iterable[tuple[str, list[str], float, float]]:
    limits, symbols = portfolio.limits, list(portfolio.symbols)
    sizes = {symbol: abs(exposure[symbol]) for symbol in symbols}
    if limits.symbol is not None:
        for symbol in symbols:
            yield "symbol", [symbol], sizes[symbol], limits.symbol
    if limits.asset is not None:
        for group in _groups(portfolio, lambda i: i.asset).values():
            yield "asset", group, sum(sizes[s] for s in group), limits.asset
    classes = _groups(portfolio, lambda i: i.asset_class)
    for name, cap in limits.class_caps.items():
        group = classes.get(name, [])
        yield f"class {name}", group, sum(sizes[s] for s in group), cap
    if limits.gross is not None:
        yield "gross", symbols, sum(sizes.values()), limits.gross
    if limits.capital is not None:
        yield "capital", symbols, sum(sizes.values()), limits.capital / equity
    if limits.invested is not None:
        longs = [s for s in symbols if exposure[s] > 0]
        yield "invested", longs, sum(exposure[s] for s in longs), limits.invested


def _groups(portfolio: Portfolio, key: Callable[[Instrument], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for instrument in portfolio.instruments:
        groups.setdefault(key(instrument), []).append(instrument.symbol)
    return groups
