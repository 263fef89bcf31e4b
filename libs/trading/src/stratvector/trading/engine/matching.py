"""Working orders meet a bar: market orders fill at the open of the symbol's next bar, with adverse
slippage.

The price is rounded half-even to the instrument's grid, commission to a millionth of the base
currency: what a broker could really charge, and what survives the way through Decimal to the bit.
A missing bar fills nothing.
"""

import numpy as np

from stratvector.trading.engine.arithmetic import LOTS_MAX, round_to_grid, whole
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    LOT_SIZE,
    MICRO,
    PRICE_UNITS,
    Rules,
)


@engine_jit
def volume_cap(lots: int, volume: float, lot_size: float, limit: float) -> int:
    """`lots` cut to `limit` of the filling bar's volume (units); no volume, no fill."""
    if limit == np.inf:
        return lots
    if not volume > 0.0:
        return 0
    available = whole(min(volume * limit / lot_size, LOTS_MAX))
    return min(max(lots, -available), available)


@engine_jit
def match_market(
    lots: int, reference: float, open_price: float, volume: float, s: int, rules: Rules
) -> tuple[int, float, int]:
    """Lots, price and commission (millionths) of a market order of signed `lots` at a bar.

    reference : the mark at the decision. (0, 0.0, 0) when the bar is missing (open is NaN), its
    price is not positive on the grid, or it is above the collar of a buy.
    """
    if not open_price > 0.0:
        return 0, 0.0, 0
    filled = volume_cap(lots, volume, rules.grid[s, LOT_SIZE], rules.volume_limit)
    drift = rules.slippage if lots > 0 else -rules.slippage
    price = round_to_grid(open_price * (1.0 + drift), rules.grid[s, PRICE_UNITS])
    too_dear = lots > 0 and price > reference * (1.0 + rules.cash_collar)
    if filled == 0 or too_dear or not price > 0.0:
        return 0, 0.0, 0
    notional = abs(filled) * (rules.grid[s, LOT_SIZE] * price)
    return filled, price, whole(round_to_grid(notional * rules.commission * MICRO, 1.0))
