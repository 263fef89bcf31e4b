"""Simulated executions in the words of the `fills` noun; the backtest and the simulated broker
both speak them.
"""

from decimal import Decimal

from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.identity import execution_id
from stratvector.trading.instruments import Instrument

MICRO_DECIMALS = Decimal("0.000001")


def filled(
    order: str,
    instrument: Instrument,
    lots: int,
    price: float,
    commission: int,
    open_price: float,
    times: tuple[int, int],
) -> FillEvent:
    """An execution of signed `lots`; commission in millionths, times = (fill_time, known_time)."""
    money = instrument.price(price)
    drift = abs(money - instrument.price(open_price))
    return FillEvent(
        kind=FillKind.FILLED,
        order_id=order,
        symbol=instrument.symbol,
        execution_id=execution_id(order, times[1]),
        lots=lots,
        price=money,
        commission=commission * MICRO_DECIMALS,
        slippage=drift * instrument.quantity(abs(lots)),
        fill_time=times[0],
        known_time=times[1],
    )


def expired(order: str, symbol: str, known_time: int) -> FillEvent:
    """The unfilled rest of an order ran out at a close."""
    return FillEvent(FillKind.EXPIRED, order, symbol, known_time=known_time)


def cancelled(order: str, symbol: str, known_time: int) -> FillEvent:
    """A working order was cancelled."""
    return FillEvent(FillKind.CANCELLED, order, symbol, known_time=known_time)


def commission_micros(commission: Decimal) -> int:
    """A commission in whole millionths of the base currency, half-even."""
    return int((commission / MICRO_DECIMALS).to_integral_value())
