"""orders: `Decision`, the approved orders of one close and everything that explains them."""

from stratvector.contracts.codecs.decimals import read_decimal, write_decimal
from stratvector.contracts.codecs.enumerations import both_ways
from stratvector.contracts.codecs.payload import decoded, encoded, refuse_nameless, unique
from stratvector.contracts.v1 import orders_pb2
from stratvector.trading.meaning.orders import check_decision
from stratvector.trading.orders import (
    ApprovedOrder,
    Cancel,
    Cross,
    Cut,
    Decision,
    SymbolDecision,
    ValueAtRisk,
)
from stratvector.trading.reasons import Outcome, WeightReason

OUTCOME_TO_WIRE, OUTCOME_FROM_WIRE = both_ways(
    "Outcome",
    {
        Outcome.NOT_PLANNED: orders_pb2.OUTCOME_NOT_PLANNED,
        Outcome.ORDERED: orders_pb2.OUTCOME_ORDERED,
        Outcome.NO_CHANGE: orders_pb2.OUTCOME_NO_CHANGE,
        Outcome.BELOW_BAND: orders_pb2.OUTCOME_BELOW_BAND,
        Outcome.STALE: orders_pb2.OUTCOME_STALE,
        Outcome.NO_PRICE: orders_pb2.OUTCOME_NO_PRICE,
        Outcome.NO_EQUITY: orders_pb2.OUTCOME_NO_EQUITY,
        Outcome.TOO_LARGE: orders_pb2.OUTCOME_TOO_LARGE,
        Outcome.NO_ROOM: orders_pb2.OUTCOME_NO_ROOM,
        Outcome.REDUCE_ONLY: orders_pb2.OUTCOME_REDUCE_ONLY,
        Outcome.HALTED: orders_pb2.OUTCOME_HALTED,
        Outcome.RESTRICTED: orders_pb2.OUTCOME_RESTRICTED,
        Outcome.WORKING: orders_pb2.OUTCOME_WORKING,
        Outcome.NO_CASH: orders_pb2.OUTCOME_NO_CASH,
    },
)
REASON_TO_WIRE, REASON_FROM_WIRE = both_ways(
    "WeightReason",
    {
        WeightReason.FRESH: orders_pb2.WEIGHT_REASON_FRESH,
        WeightReason.KEPT: orders_pb2.WEIGHT_REASON_KEPT,
        WeightReason.EXPIRED: orders_pb2.WEIGHT_REASON_EXPIRED,
    },
)


def encode_decision(decision: Decision) -> bytes:
    """The payload of one decision. Raises BadMessage."""
    return encoded("orders", _to_wire, decision)


def decode_decision(payload: bytes) -> Decision:
    """The decision in a payload. Raises BadMessage."""
    return decoded("orders", orders_pb2.Decision, _from_wire, payload)


def decode_decided_close(payload: bytes) -> int:
    """The close time (ns UTC) of a decision, for who only counts them. Raises BadMessage."""
    return decoded("orders", orders_pb2.Decision, _close_time, payload)


def _to_wire(decision: Decision) -> orders_pb2.Decision:
    refuse_nameless(portfolio=decision.portfolio, account=decision.account)
    wire = orders_pb2.Decision()
    wire.portfolio = decision.portfolio
    wire.account = decision.account
    wire.close_time_ns = decision.close_time
    wire.equity = decision.equity
    wire.gross_exposure = decision.gross_exposure
    wire.drawdown_factor = decision.drawdown_factor
    wire.halted = decision.halted
    wire.reduce_only = decision.reduce_only
    for order in decision.orders:
        _write_order(wire.orders.add(), order)
    for cancel in decision.cancels:
        wire.cancels.add(order_id=cancel.order_id, symbol=cancel.symbol)
    for cross in decision.crosses:
        _write_cross(wire.crosses.add(), cross)
    for symbol in decision.symbols:
        _write_symbol(wire.symbols.add(), symbol)
    _write_cut(wire.cut, decision.cut)
    if decision.value_at_risk is not None:
        write_value_at_risk(wire.value_at_risk, decision.value_at_risk)
    return wire


def write_value_at_risk(wire: orders_pb2.ValueAtRisk, figure: ValueAtRisk) -> None:
    """Into a message that holds a figure."""
    wire.as_of_ns = figure.as_of
    wire.horizon_days = figure.horizon_days
    wire.var_95 = figure.var_95
    wire.cvar_95 = figure.cvar_95
    wire.simulations = figure.simulations
    wire.seed = figure.seed
    wire.factor = figure.factor


def read_value_at_risk(wire: orders_pb2.ValueAtRisk) -> ValueAtRisk:
    """The figure in a message."""
    return ValueAtRisk(
        wire.as_of_ns,
        wire.horizon_days,
        wire.var_95,
        wire.cvar_95,
        wire.simulations,
        wire.seed,
        wire.factor,
    )


def _write_order(wire: orders_pb2.ApprovedOrder, order: ApprovedOrder) -> None:
    wire.order_id = order.order_id
    wire.symbol = order.symbol
    wire.lots = order.lots
    wire.parts.extend(order.parts)
    write_decimal(wire, "reference_price", order.reference_price)
    wire.decided_at_ns = order.decided_at
    wire.expires_at_ns = order.expires_at


def _write_cross(wire: orders_pb2.Cross, cross: Cross) -> None:
    wire.symbol = cross.symbol
    wire.parts.extend(cross.parts)
    write_decimal(wire, "price", cross.price)


def _write_symbol(wire: orders_pb2.SymbolDecision, symbol: SymbolDecision) -> None:
    wire.symbol = symbol.symbol
    wire.outcome = OUTCOME_TO_WIRE[symbol.outcome]
    wire.stages.extend(symbol.stages)
    wire.target_lots = symbol.target_lots
    wire.weight_reasons.extend([REASON_TO_WIRE[reason] for reason in symbol.weight_reasons])


def _write_cut(wire: orders_pb2.Cut, cut: Cut) -> None:
    wire.SetInParent()
    for universe, message_id in sorted(cut.bars.items()):
        wire.bars.add(universe=universe, message_id=message_id)
    for model, message_id in sorted(cut.signals.items()):
        wire.signals.add(model=model, message_id=message_id)
    wire.fills_sequence = cut.fills_sequence
    wire.commands_sequence = cut.commands_sequence
    wire.multipliers.extend(cut.multipliers)


def _close_time(wire: orders_pb2.Decision) -> int:
    return wire.close_time_ns


def _from_wire(wire: orders_pb2.Decision) -> Decision:
    refuse_nameless(portfolio=wire.portfolio, account=wire.account)
    if not wire.HasField("cut"):
        raise ValueError("cut is missing")
    decision = Decision(
        portfolio=wire.portfolio,
        account=wire.account,
        close_time=wire.close_time_ns,
        equity=wire.equity,
        gross_exposure=wire.gross_exposure,
        drawdown_factor=wire.drawdown_factor,
        halted=wire.halted,
        reduce_only=wire.reduce_only,
        orders=tuple(map(_read_order, wire.orders)),
        cancels=tuple(Cancel(cancel.order_id, cancel.symbol) for cancel in wire.cancels),
        crosses=tuple(map(_read_cross, wire.crosses)),
        symbols=tuple(map(_read_symbol, wire.symbols)),
        cut=_read_cut(wire.cut),
        value_at_risk=(
            read_value_at_risk(wire.value_at_risk) if wire.HasField("value_at_risk") else None
        ),
    )
    check_decision(decision)
    return decision


def _read_order(wire: orders_pb2.ApprovedOrder) -> ApprovedOrder:
    return ApprovedOrder(
        order_id=wire.order_id,
        symbol=wire.symbol,
        lots=wire.lots,
        parts=tuple(wire.parts),
        reference_price=read_decimal(wire, "reference_price"),
        decided_at=wire.decided_at_ns,
        expires_at=wire.expires_at_ns,
    )


def _read_cross(wire: orders_pb2.Cross) -> Cross:
    return Cross(wire.symbol, tuple(wire.parts), read_decimal(wire, "price"))


def _read_symbol(wire: orders_pb2.SymbolDecision) -> SymbolDecision:
    return SymbolDecision(
        symbol=wire.symbol,
        outcome=OUTCOME_FROM_WIRE[wire.outcome],
        stages=tuple(wire.stages),
        target_lots=wire.target_lots,
        weight_reasons=tuple([REASON_FROM_WIRE[reason] for reason in wire.weight_reasons]),
    )


def _read_cut(wire: orders_pb2.Cut) -> Cut:
    return Cut(
        bars=unique("cut.bars", [(used.universe, used.message_id) for used in wire.bars]),
        signals=unique("cut.signals", [(used.model, used.message_id) for used in wire.signals]),
        fills_sequence=wire.fills_sequence,
        commands_sequence=wire.commands_sequence,
        multipliers=tuple(wire.multipliers),
    )
