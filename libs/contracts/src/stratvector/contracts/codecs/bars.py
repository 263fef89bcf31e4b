"""bars: `ClosedBars`, one column per value, bit for bit."""

import numpy as np

from stratvector.contracts.codecs.payload import decoded, encoded, refuse_nameless
from stratvector.contracts.v1 import bars_pb2
from stratvector.trading.bars import ClosedBars
from stratvector.trading.meaning.bars import check_bars


def encode_closed_bars(bars: ClosedBars) -> bytes:
    """The payload of one cross-section. Raises BadMessage."""
    return encoded("bars", _to_wire, bars)


def decode_closed_bars(payload: bytes) -> ClosedBars:
    """The cross-section in a payload, with arrays of its own. Raises BadMessage."""
    return decoded("bars", bars_pb2.ClosedBars, _from_wire, payload)


def _to_wire(bars: ClosedBars) -> bars_pb2.ClosedBars:
    refuse_nameless(universe=bars.universe, timeframe=bars.timeframe)
    wire = bars_pb2.ClosedBars()
    wire.universe = bars.universe
    wire.timeframe = bars.timeframe
    wire.close_time_ns = bars.close_time
    wire.symbols.extend(bars.symbols)
    wire.open.extend(bars.open.tolist())
    wire.high.extend(bars.high.tolist())
    wire.low.extend(bars.low.tolist())
    wire.close.extend(bars.close.tolist())
    wire.volume.extend(bars.volume.tolist())
    wire.late = bars.late
    wire.open_time_ns = bars.open_time
    wire.next_close_ns = bars.next_close
    return wire


def _from_wire(wire: bars_pb2.ClosedBars) -> ClosedBars:
    refuse_nameless(universe=wire.universe, timeframe=wire.timeframe)
    bars = ClosedBars(
        universe=wire.universe,
        timeframe=wire.timeframe,
        close_time=wire.close_time_ns,
        symbols=tuple(wire.symbols),
        open=np.fromiter(wire.open, np.float64),
        high=np.fromiter(wire.high, np.float64),
        low=np.fromiter(wire.low, np.float64),
        close=np.fromiter(wire.close, np.float64),
        volume=np.fromiter(wire.volume, np.float64),
        late=wire.late,
        open_time=wire.open_time_ns,
        next_close=wire.next_close_ns,
    )
    check_bars(bars)
    return bars
