"""explaining: why an order was sent, or why there was none, as the ledger recorded it."""

from typing import Annotated

from fastapi import APIRouter, Query

from stratvector.runtime.peer import Refused
from stratvector.services.gateway.api.asking import Context
from stratvector.services.gateway.api.trading import FillShape, OrderShape, fill_shape, order_shape
from stratvector.services.gateway.api.values import (
    DecimalText,
    Figure,
    Shape,
    Time,
    closes,
    figure,
    nanoseconds_of,
    time_of,
)
from stratvector.trading.explanation import Explanation, ModelWish
from stratvector.trading.instruments import Instrument
from stratvector.trading.reasons import UnknownReason, rejection_named

router = APIRouter(prefix="/api/trading", tags=["trading"])
UNPROCESSABLE = 422


class WishShape(Shape):
    """What one model asked for. weight : of its budget. budget : with its multiplier, of equity.

    quantity : its signed part of the order. sentence : the same in words.
    """

    model: str
    version: str
    weight: Figure
    confidence: Figure
    action: str
    reason: str
    weight_reason: str
    budget: float
    quantity: DecimalText
    sentence: str


class StageShape(Shape):
    """One stage between weights and lots. exposure : that it left, fraction of equity.

    cut : whether it took something.
    """

    stage: str
    exposure: Figure
    cut: bool
    sentence: str


class ExplanationShape(Shape):
    """How one symbol came to an order, or to the reason why there is none, at one close.

    mark : the price that came with the close's bar, null = none. bars_id : of the bars message.
    """

    close_time: Time
    symbol: str
    outcome: str
    sentence: str
    mark: DecimalText | None
    bars_id: str
    equity: Figure
    held_quantity: DecimalText
    target_quantity: DecimalText
    models: list[WishShape]
    stages: list[StageShape]
    order: OrderShape | None
    fills: list[FillShape]


class RejectionShape(Shape):
    """Decisions about one symbol that ended without an order, for one reason."""

    reason: str
    symbol: str
    count: int
    first_close: Time
    last_close: Time


class RejectionsShape(Shape):
    """Decisions that ended without an order. total : how many, also beyond the list."""

    total: int
    rejections: list[RejectionShape]


@router.get("/explain")
async def get_explanation(
    context: Context,
    order: Annotated[
        str | None, Query(description="an order's id, or its first eight characters")
    ] = None,
    symbol: Annotated[str | None, Query(description="a symbol, instead of an order")] = None,
    time: Annotated[
        str | None,
        Query(description="the newest decision up to this UTC date or time; none = of all"),
    ] = None,
) -> ExplanationShape:
    """Bar, each model's weight, exposure after each stage, order, executions and costs."""
    if (order is None) == (symbol is None) or (order is not None and time is not None):
        raise Refused("name an order, or a symbol with or without a time")
    at = None if time is None else nanoseconds_of(time)
    told = await context.ledger.explain(order or "", symbol or "", at)
    return _explanation(told, context.live.instruments[told.symbol])


@router.get("/rejections")
async def get_rejections(
    context: Context,
    reason: Annotated[str | None, Query(description="such as below_band; none = each")] = None,
    symbol: Annotated[str, Query(description="each close of one symbol, the newest 1000")] = "",
    start: str | None = None,
    end: str | None = None,
) -> RejectionsShape:
    """Symbols that were planned and had no order, by reason, with how often and when."""
    try:
        outcome = None if reason is None else rejection_named(reason)
    except UnknownReason as error:
        raise Refused(str(error)) from error
    found = await context.ledger.rejections(closes(start, end), outcome, symbol)
    return RejectionsShape(
        total=found.total,
        rejections=[
            RejectionShape(
                reason=one.reason.name.lower(),
                symbol=one.symbol,
                count=one.count,
                first_close=time_of(one.first_close) or "",
                last_close=time_of(one.last_close) or "",
            )
            for one in found.records
        ],
    )


def _explanation(told: Explanation, instrument: Instrument) -> ExplanationShape:
    return ExplanationShape(
        close_time=time_of(told.close_time) or "",
        symbol=told.symbol,
        outcome=told.outcome.name.lower(),
        sentence=told.sentence,
        mark=told.mark,
        bars_id=told.bars_id,
        equity=figure(told.equity),
        held_quantity=instrument.quantity(told.held_lots),
        target_quantity=instrument.quantity(told.target_lots),
        models=[_wish(one, instrument) for one in told.models],
        stages=[
            StageShape(
                stage=one.stage.name.lower(),
                exposure=figure(one.exposure),
                cut=one.cut,
                sentence=one.sentence,
            )
            for one in told.stages
        ],
        order=None if told.order is None else order_shape(told.order, instrument),
        fills=[fill_shape(one, instrument) for one in told.fills],
    )


def _wish(one: ModelWish, instrument: Instrument) -> WishShape:
    return WishShape(
        model=one.model,
        version=one.version,
        weight=figure(one.weight),
        confidence=figure(one.confidence),
        action=one.action.name.lower(),
        reason=one.reason.name.lower(),
        weight_reason=one.weight_reason.name.lower(),
        budget=one.budget,
        quantity=instrument.quantity(one.lots),
        sentence=one.sentence,
    )
