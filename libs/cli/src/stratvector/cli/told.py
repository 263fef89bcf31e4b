"""What `--verbose` says of a close: its executions and its approved orders, one line each."""

from stratvector.backtest.ledger_record import executions
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.timestamps import utc_text


def told(entry: LedgerEntry, portfolio: Portfolio) -> list[str]:
    """Lines for a reader who follows along."""
    sizes = {i.symbol: i for i in portfolio.instruments}

    def units(symbol: str, lots: int) -> str:
        return f"{sizes[symbol].quantity(abs(lots))} {symbol}"

    when, equity = utc_text(entry.close_time), entry.decision.equity
    fills = [
        f"{when} {'bought' if e.lots > 0 else 'sold'} {units(e.symbol, e.lots)} at {e.price}"
        for e, _ in executions(entry)
    ]
    orders = [
        f"{when} orders to {'buy' if o.lots > 0 else 'sell'} {units(o.symbol, o.lots)}, "
        f"equity {equity:,.2f}"
        for o in entry.decision.orders
    ]
    return fills + orders
