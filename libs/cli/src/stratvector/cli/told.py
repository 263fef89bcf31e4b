"""What `--verbose` says of a close: its executions and its approved orders, one line each."""

from stratvector.backtest.frames import executions
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.timestamps import utc_text


def told(entry: LedgerEntry, portfolio: Portfolio) -> list[str]:
    """Lines for a reader who follows along."""
    sizes = {i.symbol: i for i in portfolio.instruments}
    when = utc_text(entry.close_time)
    fills = [
        f"{when} {'bought' if event.lots > 0 else 'sold'} {sizes[event.symbol].quantity(abs(event.lots))} "
        f"{event.symbol} at {event.price}"
        for event, _ in executions(entry)
    ]
    orders = [
        f"{when} orders to {'buy' if order.lots > 0 else 'sell'} {sizes[order.symbol].quantity(abs(order.lots))} "
        f"{order.symbol}, equity {entry.decision.equity:,.2f}"
        for order in entry.decision.orders
    ]
    return fills + orders

