"""positions: `Positions`, what a portfolio holds at a close, in exact decimals."""

from stratvector.contracts.codecs.decimals import read_decimal, write_decimal
from stratvector.contracts.codecs.payload import decoded, encoded, refuse_nameless, unique
from stratvector.contracts.v1 import positions_pb2
from stratvector.trading.ledger import Positions
from stratvector.trading.meaning.positions import check_positions


def encode_positions(positions: Positions) -> bytes:
    """The payload of a portfolio's holdings. Raises BadMessage."""
    return encoded("positions", _to_wire, positions)


def decode_positions(payload: bytes) -> Positions:
    """The holdings in a payload, ordered by symbol. Raises BadMessage."""
    return decoded("positions", positions_pb2.Positions, _from_wire, payload)


def _to_wire(positions: Positions) -> positions_pb2.Positions:
    refuse_nameless(portfolio=positions.portfolio)
    wire = positions_pb2.Positions()
    wire.portfolio = positions.portfolio
    wire.close_time_ns = positions.close_time
    wire.number = positions.number
    for symbol, lots in sorted(positions.positions.items()):
        wire.positions.add(symbol=symbol, lots=lots)
    write_decimal(wire, "cash", positions.cash)
    write_decimal(wire, "equity", positions.equity)
    return wire


def _from_wire(wire: positions_pb2.Positions) -> Positions:
    refuse_nameless(portfolio=wire.portfolio)
    held = Positions(
        portfolio=wire.portfolio,
        close_time=wire.close_time_ns,
        number=wire.number,
        positions=unique("positions", [(held.symbol, held.lots) for held in wire.positions]),
        cash=read_decimal(wire, "cash"),
        equity=read_decimal(wire, "equity"),
    )
    check_positions(held)
    return held
