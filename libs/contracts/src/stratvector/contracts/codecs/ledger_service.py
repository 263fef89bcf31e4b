"""The ledger's answers as messages of `LedgerService`, and back.

Cash and equity are rounded half-even to 1e-8: all their digits are in the database only.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from stratvector.contracts.codecs.decimals import (
    read_decimal,
    write_decimal,
)
from stratvector.contracts.codecs.fills import KIND_FROM_WIRE, KIND_TO_WIRE
from stratvector.contracts.codecs.payload import unique
from stratvector.contracts.v1 import fills_pb2
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.trading.ledger import rounded_money
from stratvector.trading.ledger_answers import (
    EquityRecord,
    FillRecord,
    HeldPositions,
    LedgerStatus,
    ModelEquity,
    ModelResult,
    OrderRecord,
    PositionRecord,
)


def status_message(status: LedgerStatus) -> pb.LedgerStatus:
    """A status on its way out."""
    wire = pb.LedgerStatus(
        portfolio=status.portfolio,
        closes=status.closes,
        first_close_ns=status.first_close,
        last_close_ns=status.last_close,
        signals=status.signals,
        orders=status.orders,
        fills=status.fills,
        chain_hash=status.chain_hash,
    )
    for field, money in (("cash", status.cash), ("equity", status.equity)):
        if money is not None:
            _write_rounded(wire, field, money)
    for symbol, units in status.lot_sizes.items():
        write_decimal(wire.lot_sizes.add(symbol=symbol), "units", units)
    return wire


def status_of(wire: pb.LedgerStatus) -> LedgerStatus:
    """A status that came in. Raises ValueError."""
    return LedgerStatus(
        portfolio=wire.portfolio,
        closes=wire.closes,
        first_close=_optional(wire, "first_close_ns"),
        last_close=_optional(wire, "last_close_ns"),
        cash=read_decimal(wire, "cash") if wire.HasField("cash") else None,
        equity=read_decimal(wire, "equity") if wire.HasField("equity") else None,
        signals=wire.signals,
        orders=wire.orders,
        fills=wire.fills,
        chain_hash=wire.chain_hash,
        lot_sizes={one.symbol: read_decimal(one, "units") for one in wire.lot_sizes},
    )


def order_message(order: OrderRecord) -> pb.OrderRecord:
    """An order on its way out."""
    unknown = fills_pb2.FILL_KIND_UNSPECIFIED
    wire = pb.OrderRecord(
        close_time_ns=order.close_time,
        order_id=order.order_id,
        symbol=order.symbol,
        lots=order.lots,
        parts=_parts(order.parts),
        expires_at_ns=order.expires_at,
        filled_lots=order.filled_lots,
        last_event=unknown if order.last_event is None else KIND_TO_WIRE[order.last_event],
        text=order.text,
    )
    write_decimal(wire, "reference_price", order.reference_price)
    return wire


def order_of(wire: pb.OrderRecord) -> OrderRecord:
    """An order that came in. Raises ValueError."""
    known = wire.last_event != fills_pb2.FILL_KIND_UNSPECIFIED
    return OrderRecord(
        close_time=wire.close_time_ns,
        order_id=wire.order_id,
        symbol=wire.symbol,
        lots=wire.lots,
        parts=_lots_by_model(wire.parts),
        reference_price=read_decimal(wire, "reference_price"),
        expires_at=wire.expires_at_ns,
        filled_lots=wire.filled_lots,
        last_event=KIND_FROM_WIRE[wire.last_event] if known else None,
        text=wire.text,
    )


def fill_message(fill: FillRecord) -> pb.FillRecord:
    """An execution on its way out."""
    wire = pb.FillRecord(
        close_time_ns=fill.close_time,
        execution_id=fill.execution_id,
        order_id=fill.order_id,
        symbol=fill.symbol,
        lots=fill.lots,
        parts=_parts(fill.parts),
        fill_time_ns=fill.fill_time,
        known_time_ns=fill.known_time,
    )
    write_decimal(wire, "price", fill.price)
    write_decimal(wire, "commission", fill.commission)
    write_decimal(wire, "slippage", fill.slippage)
    return wire


def fill_of(wire: pb.FillRecord) -> FillRecord:
    """An execution that came in. Raises ValueError."""
    return FillRecord(
        close_time=wire.close_time_ns,
        execution_id=wire.execution_id,
        order_id=wire.order_id,
        symbol=wire.symbol,
        lots=wire.lots,
        parts=_lots_by_model(wire.parts),
        price=read_decimal(wire, "price"),
        commission=read_decimal(wire, "commission"),
        slippage=read_decimal(wire, "slippage"),
        fill_time=wire.fill_time_ns,
        known_time=wire.known_time_ns,
    )


def equity_message(record: EquityRecord) -> pb.EquityRecord:
    """An account on its way out."""
    wire = pb.EquityRecord(
        close_time_ns=record.close_time,
        engine_equity=record.engine_equity,
        gross_exposure=record.gross_exposure,
        drawdown_factor=record.drawdown_factor,
        halted=record.halted,
        reduce_only=record.reduce_only,
    )
    _write_rounded(wire, "cash", record.cash)
    _write_rounded(wire, "equity", record.equity)
    for model in record.models:
        share = wire.models.add(model=model.model)
        _write_rounded(share, "cash", model.cash)
        _write_rounded(share, "commission", model.commission)
        _write_rounded(share, "equity", model.equity)
    return wire


def equity_of(wire: pb.EquityRecord) -> EquityRecord:
    """An account that came in. Raises ValueError."""
    return EquityRecord(
        close_time=wire.close_time_ns,
        cash=read_decimal(wire, "cash"),
        equity=read_decimal(wire, "equity"),
        engine_equity=wire.engine_equity,
        gross_exposure=wire.gross_exposure,
        drawdown_factor=wire.drawdown_factor,
        halted=wire.halted,
        reduce_only=wire.reduce_only,
        models=tuple(
            ModelEquity(
                share.model,
                read_decimal(share, "cash"),
                read_decimal(share, "commission"),
                read_decimal(share, "equity"),
            )
            for share in wire.models
        ),
    )


def positions_message(held: HeldPositions) -> pb.QueryPositionsResponse:
    """Holdings on their way out."""
    return pb.QueryPositionsResponse(
        close_time_ns=held.close_time,
        positions=[
            pb.PositionRecord(symbol=one.symbol, lots=one.lots, parts=_parts(one.parts))
            for one in held.positions
        ],
    )


def positions_of(wire: pb.QueryPositionsResponse) -> HeldPositions:
    """Holdings that came in. Raises ValueError."""
    return HeldPositions(
        _optional(wire, "close_time_ns"),
        tuple(
            PositionRecord(one.symbol, one.lots, _lots_by_model(one.parts))
            for one in wire.positions
        ),
    )


def result_message(result: ModelResult) -> pb.ModelResult:
    """A model's result on its way out."""
    wire = pb.ModelResult(model=result.model, fills=result.fills)
    _write_rounded(wire, "profit", result.profit)
    _write_rounded(wire, "commission", result.commission)
    return wire


def result_of(wire: pb.ModelResult) -> ModelResult:
    """A model's result that came in. Raises ValueError."""
    return ModelResult(
        wire.model, read_decimal(wire, "profit"), read_decimal(wire, "commission"), wire.fills
    )


def _write_rounded(wire: Any, field: str, money: Decimal) -> None:
    write_decimal(wire, field, rounded_money(money))


def _optional(wire: Any, field: str) -> int | None:
    value: int = getattr(wire, field)
    return value if wire.HasField(field) else None


def _parts(lots: Mapping[str, int]) -> list[pb.ModelLots]:
    return [pb.ModelLots(model=model, lots=part) for model, part in lots.items()]


def _lots_by_model(parts: Iterable[pb.ModelLots]) -> dict[str, int]:
    return unique("parts", [(part.model, part.lots) for part in parts])
