"""signals: `Signals`, one model's target weights and the state that its next close starts from."""

from stratvector.contracts.codecs.enumerations import both_ways
from stratvector.contracts.codecs.payload import decoded, encoded, refuse_nameless
from stratvector.contracts.v1 import signals_pb2
from stratvector.trading.meaning.signals import check_signals
from stratvector.trading.reasons import SignalReason
from stratvector.trading.signals import Action, SignalRow, Signals

ACTION_TO_WIRE, ACTION_FROM_WIRE = both_ways(
    "Action",
    {
        Action.HOLD: signals_pb2.ACTION_HOLD,
        Action.BUY: signals_pb2.ACTION_BUY,
        Action.SELL: signals_pb2.ACTION_SELL,
        Action.CLOSE: signals_pb2.ACTION_CLOSE,
    },
)
REASON_TO_WIRE, REASON_FROM_WIRE = both_ways(
    "SignalReason",
    {
        SignalReason.NONE: signals_pb2.SIGNAL_REASON_NONE,
        SignalReason.WARMING_UP: signals_pb2.SIGNAL_REASON_WARMING_UP,
        SignalReason.MISSING_DATA: signals_pb2.SIGNAL_REASON_MISSING_DATA,
    },
)


def encode_signals(signals: Signals) -> bytes:
    """The payload of one model's signals. Raises BadMessage."""
    return encoded("signals", _to_wire, signals)


def decode_signals(payload: bytes) -> Signals:
    """The signals in a payload. Raises BadMessage."""
    return decoded("signals", signals_pb2.Signals, _from_wire, payload)


def _to_wire(signals: Signals) -> signals_pb2.Signals:
    refuse_nameless(portfolio=signals.portfolio, model=signals.model)
    wire = signals_pb2.Signals()
    wire.portfolio = signals.portfolio
    wire.model = signals.model
    wire.version = signals.version
    wire.close_time_ns = signals.close_time
    for row in signals.rows:
        _write_row(wire.rows.add(), row)
    wire.state.extend(signals.state)
    wire.bars_id = signals.bars_id
    return wire


def _write_row(wire: signals_pb2.SignalRow, row: SignalRow) -> None:
    wire.symbol = row.symbol
    wire.weight = row.weight
    wire.confidence = row.confidence
    wire.action = ACTION_TO_WIRE[row.action]
    wire.reason = REASON_TO_WIRE[row.reason]


def _from_wire(wire: signals_pb2.Signals) -> Signals:
    refuse_nameless(portfolio=wire.portfolio, model=wire.model)
    signals = Signals(
        portfolio=wire.portfolio,
        model=wire.model,
        version=wire.version,
        close_time=wire.close_time_ns,
        rows=tuple(map(_read_row, wire.rows)),
        state=tuple(wire.state),
        bars_id=wire.bars_id,
    )
    check_signals(signals)
    return signals


def _read_row(wire: signals_pb2.SignalRow) -> SignalRow:
    return SignalRow(
        symbol=wire.symbol,
        weight=wire.weight,
        confidence=wire.confidence,
        action=ACTION_FROM_WIRE[wire.action],
        reason=REASON_FROM_WIRE[wire.reason],
    )
