"""positions: what is held, at the newest marks, and what it cost."""

from decimal import Decimal

from stratvector.services.gateway.account import Holding
from stratvector.services.gateway.console.markup import (
    empty,
    escaped,
    gain,
    money,
    row,
    share_bar,
    table,
    tone,
)
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.marks import Mark
from stratvector.services.gateway.staleness import behind, flat_since
from stratvector.services.gateway.words import MINUS, NOTHING, minute, percent, quantity_text
from stratvector.trading.ledger import Positions

HEADS = (
    ("Symbol", False),
    ("Quantity", True),
    ("Entry", True),
    ("Price", True),
    ("P&L", True),
    ("Value", True),
    ("Weight", True),
)
EXPLAINED = (
    "Entry is the average cost of what is held, slippage included; P&L is the open one, before "
    "commission."
)


def positions(context: PortfolioContext) -> str:
    """The table, with cash at its end."""
    held, live = context.live.positions, context.live
    if held is None:
        return f'<div data-testid="positions">{empty("No position yet.")}</div>'
    equity = live.curve.value
    rows = [_row(live, symbol, lots, equity) for symbol, lots in held.positions.items()]
    rows.append(_cash(held, equity))
    about = (
        f"As of the newest fills, {minute(held.close_time)} UTC, at the newest marks. {EXPLAINED}"
    )
    if (flat := flat_since(live)) is not None:
        about = f"Flat since {minute(flat)} UTC."
    shown = table("Positions", HEADS, rows)
    return f'<div data-testid="positions">{shown}<p class="about">{about}</p></div>'


def _row(live: LiveSession, symbol: str, lots: int, equity: float) -> str:
    instrument, mark = live.instruments[symbol], live.marks.of(symbol)
    quantity = instrument.quantity(lots)
    known = live.account.holding(symbol, lots)
    digits = max(instrument.decimals, 2)
    of = instrument.asset_class
    if symbol in live.portfolio.closing_symbols:
        of += ", closing"
    cells = [
        (f"<b>{escaped(symbol)}</b> <small>{escaped(of)}</small>", False),
        (quantity_text(quantity).replace("-", MINUS), True),
        (NOTHING if known is None else f"{known.entry_price:,.{digits}f}", True),
    ]
    if mark is None:
        cells += [("no price yet", True), (NOTHING, True), ("", True), ("", True)]
    else:
        value = float(quantity) * mark.price
        weight = value / equity
        cells += [
            (f"{instrument.price(mark.price):,f}{_age(live, mark)}", True),
            (_profit(quantity, known, mark), True),
            (money(value), True),
            (f"{share_bar(weight)} {percent(weight)}", True),
        ]
    return row(cells, f"position-{symbol}")


def _age(live: LiveSession, mark: Mark) -> str:
    """A price that is no longer new says of when it is."""
    old = behind(live, mark.close_time)
    return f'<br><small title="{escaped(old)}">of {minute(mark.close_time)}</small>' if old else ""


def _profit(quantity: Decimal, holding: Holding | None, mark: Mark) -> str:
    if holding is None:
        return NOTHING
    profit = float(holding.unrealised_pnl(quantity, mark.price))
    return f'<span class="{tone(profit)}">{gain(profit)}</span>'


def _cash(held: Positions, equity: float) -> str:
    cash = float(held.cash)
    weight = cash / equity
    cells = [
        ("<b>Cash</b> <small>USD</small>", False),
        *[("", True)] * 4,
        (money(cash), True),
        (f"{share_bar(weight)} {percent(weight)}", True),
    ]
    return row(cells, "position-cash")
