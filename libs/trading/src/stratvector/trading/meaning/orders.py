"""What decisions and their orders may say."""

import math

from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.rules import (
    check_close,
    check_known,
    check_lots,
    check_number,
    check_once,
    check_price,
    check_same,
)
from stratvector.trading.meaning.ticks import check_named, check_named_of
from stratvector.trading.orders import ApprovedOrder, Cross, Decision, ValueAtRisk
from stratvector.trading.unfit import Absurd


def check_decision(decision: Decision) -> None:
    """Money is finite; orders have lots whose parts sum to them, a price, and expire later; crosses
    sum to nothing. Raises Absurd.
    """
    check_close("close_time", decision.close_time)
    check_number("equity", decision.equity)
    check_number("gross_exposure", decision.gross_exposure, 0.0)
    check_number("drawdown_factor", decision.drawdown_factor, 0.0, 1.0)
    check_once("order of symbol", [order.symbol for order in decision.orders])
    check_once("order id", [order.order_id for order in decision.orders])
    check_once("cancelled order", [cancel.order_id for cancel in decision.cancels])
    check_once("cross of symbol", [cross.symbol for cross in decision.crosses])
    check_once("planned symbol", [symbol.symbol for symbol in decision.symbols])
    for order in decision.orders:
        _check_order(order, decision.close_time)
    for cross in decision.crosses:
        _check_cross(cross)
    for factor in decision.cut.multipliers:
        check_number("a multiplier", factor, 0.0, 1.0)
    check_named(decision.cut.bars, decision.cut.late)
    # One sum instead of a test for each of thousands of numbers.
    if not math.isfinite(sum(sum(symbol.stages) for symbol in decision.symbols)):
        raise Absurd("a stage of a planned symbol is not finite")
    if decision.value_at_risk is not None:
        _check_figure(decision.value_at_risk, decision.close_time)


def check_decision_of(decision: Decision, own: Own) -> None:
    """The portfolio's own decision, of its symbols and models. Raises Absurd."""
    check_same("portfolio", decision.portfolio, own.portfolio)
    models = len(own.rows)
    for named in (decision.orders, decision.cancels, decision.crosses, decision.symbols):
        check_known("symbol", [one.symbol for one in named], own.lot_sizes)
    split = {order.symbol: order.parts for order in decision.orders}
    split |= {f"the cross of {cross.symbol}": cross.parts for cross in decision.crosses}
    for what, parts in split.items():
        if len(parts) != models:
            raise Absurd(f"{what} has {len(parts)} parts; one for each of {models} models is due")
    if len(decision.cut.multipliers) not in (0, models):
        raise Absurd(f"the cut has {len(decision.cut.multipliers)} multipliers for {models} models")
    check_named_of(decision.cut.bars, decision.cut.late, own)
    check_known("model", decision.cut.signals, own.rows)
    late = [model for model in decision.cut.signals if decision.cut.is_late(model)]
    if late and not own.has_deadlines:
        raise Absurd(f"the cut says that signals of {', '.join(late)} were late, in a replay")


def _check_order(order: ApprovedOrder, close_time: int) -> None:
    check_lots(f"the order of {order.symbol}", order.lots)
    if sum(order.parts) != order.lots or any(part * order.lots < 0 for part in order.parts):
        raise Absurd(
            f"the parts of the order of {order.symbol} are {list(order.parts)}; they must sum to "
            f"{order.lots}, none of another sign"
        )
    check_price(f"reference_price of {order.symbol}", order.reference_price)
    if order.decided_at != close_time:
        raise Absurd(
            f"the order of {order.symbol} was decided at {order.decided_at} ns; "
            f"its decision is of {close_time}"
        )
    if order.expires_at and order.expires_at <= close_time:
        raise Absurd(
            f"the order of {order.symbol} expires at {order.expires_at} ns; "
            f"it must be after its decision at {close_time}, or 0"
        )


def _check_cross(cross: Cross) -> None:
    if sum(cross.parts) or not any(cross.parts):
        raise Absurd(
            f"the parts of the cross of {cross.symbol} are {list(cross.parts)}; "
            "they must sum to 0, and not all be 0"
        )
    check_price(f"the price of the cross of {cross.symbol}", cross.price)


def _check_figure(figure: ValueAtRisk, close_time: int) -> None:
    if not 0 < figure.as_of <= close_time:
        raise Absurd(
            f"the value at risk is as of {figure.as_of} ns; "
            f"it must be above 0 and not after the decision at {close_time}"
        )
    check_number("var_95", figure.var_95)
    check_number("cvar_95", figure.cvar_95)
    check_number("the factor of the value at risk", figure.factor, 0.0, 1.0)
    check_number("horizon_days", figure.horizon_days, 0.0)
