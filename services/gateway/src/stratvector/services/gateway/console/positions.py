"""positions: what is held, at the newest marks."""

from stratvector.services.gateway.console.markup import (
    empty,
    escaped,
    minute,
    money,
    percent,
    row,
    share_bar,
    table,
)
from stratvector.services.gateway.desk import Desk
from stratvector.services.gateway.telling import quantity_text
from stratvector.trading.ledger import Positions

HEADS = (
    ("Symbol", False),
    ("Quantity", True),
    ("Price", True),
    ("Value", True),
    ("Weight", True),
)


def positions(desk: Desk) -> str:
    """The table, with cash at its end."""
    held = desk.live.positions
    if held is None or not held.positions:
        return f'<div data-testid="positions">{empty("No position yet.")}</div>'
    equity = desk.live.curve.value
    rows = [_row(desk, symbol, lots, equity) for symbol, lots in held.positions.items()]
    rows.append(_cash(held, equity))
    about = f"As of the newest fills, {minute(held.close_time)} UTC, at the newest marks."
    return f'<div data-testid="positions">{table(HEADS, rows)}<p class="about">{about}</p></div>'


def _row(desk: Desk, symbol: str, lots: int, equity: float) -> str:
    instrument, mark = desk.live.instruments[symbol], desk.live.marks.of(symbol)
    quantity = instrument.quantity(lots)
    cells = [
        (f"<b>{escaped(symbol)}</b> <small>{escaped(instrument.asset_class)}</small>", False),
        (quantity_text(quantity).replace("-", "\N{MINUS SIGN}"), True),
    ]
    if mark is None:
        cells += [("no price yet", True), ("", True), ("", True)]
    else:
        value = float(quantity) * mark.price
        weight = value / equity
        cells += [
            (f"{instrument.price(mark.price):,f}", True),
            (money(value), True),
            (f"{share_bar(weight)} {percent(weight)}", True),
        ]
    return row(cells, f"position-{symbol}")


def _cash(held: Positions, equity: float) -> str:
    cash = float(held.cash)
    weight = cash / equity
    cells = [
        ("<b>Cash</b> <small>USD</small>", False),
        ("", True),
        ("", True),
        (money(cash), True),
        (f"{share_bar(weight)} {percent(weight)}", True),
    ]
    return row(cells, "position-cash")
