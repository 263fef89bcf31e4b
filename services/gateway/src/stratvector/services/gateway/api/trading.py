"""trading: approved orders and executions, as the ledger recorded them."""

from decimal import Decimal
from typing import Literal

from fastapi import APIRouter

from stratvector.services.gateway.api.asking import Context
from stratvector.services.gateway.api.paging import PageWanted
from stratvector.services.gateway.api.values import DecimalText, Shape, Time, time_of
from stratvector.services.gateway.words import side
from stratvector.trading.instruments import Instrument
from stratvector.trading.ledger_answers import FillRecord, OrderRecord

router = APIRouter(prefix="/api/trading", tags=["trading"])
Side = Literal["buy", "sell"]


class OrderShape(Shape):
    """An approved order, and what has become of it. models : signed quantity of each.

    status : filled, working, rejected, cancelled, expired or abandoned. reason : why it was
    approved: target (the models want something else than what is held), expired (a model said
    nothing for so long that its target became 0) or halted. stage : the limit that set its size,
    netted where none cut it. `/api/trading/explain` tells the whole way.
    """

    order_id: str
    close_time: Time
    symbol: str
    side: Side
    order_type: Literal["market"] = "market"
    quantity: DecimalText
    filled_quantity: DecimalText
    reference_price: DecimalText
    expires_at: Time | None
    status: str
    text: str
    models: dict[str, DecimalText]
    reason: str
    stage: str


class OrdersPage(Shape):
    """A page of orders. next_cursor : null = this was the last."""

    orders: list[OrderShape]
    next_cursor: str | None


class FillShape(Shape):
    """One execution. slippage : what the price lost against the market's, USD."""

    execution_id: str
    order_id: str
    close_time: Time
    symbol: str
    side: Side
    quantity: DecimalText
    price: DecimalText
    commission: DecimalText
    slippage: DecimalText
    fill_time: Time | None
    known_time: Time | None
    models: dict[str, DecimalText]


class FillsPage(Shape):
    """A page of executions. next_cursor : null = this was the last."""

    fills: list[FillShape]
    next_cursor: str | None


@router.get("/orders")
async def get_orders(context: Context, asked: PageWanted) -> OrdersPage:
    """Approved orders in the order of decisions, with what has become of them."""
    page = await context.ledger.orders(asked)
    known = context.live.instruments
    return OrdersPage(
        orders=[order_shape(one, known[one.symbol]) for one in page.records],
        next_cursor=page.cursor or None,
    )


@router.get("/fills")
async def get_fills(context: Context, asked: PageWanted) -> FillsPage:
    """Executions in the order in which they became known."""
    page = await context.ledger.fills(asked)
    known = context.live.instruments
    return FillsPage(
        fills=[fill_shape(one, known[one.symbol]) for one in page.records],
        next_cursor=page.cursor or None,
    )


def order_shape(one: OrderRecord, instrument: Instrument) -> OrderShape:
    """An order as the API tells it."""
    return OrderShape(
        order_id=one.order_id,
        close_time=time_of(one.close_time) or "",
        symbol=one.symbol,
        side=_side(one.lots),
        quantity=abs(instrument.quantity(one.lots)),
        filled_quantity=abs(instrument.quantity(one.filled_lots)),
        reference_price=one.reference_price,
        expires_at=time_of(one.expires_at),
        status=one.status,
        text=one.text,
        models=_parts(one.parts, instrument),
        reason=one.reason,
        stage=one.stage.name.lower(),
    )


def fill_shape(one: FillRecord, instrument: Instrument) -> FillShape:
    """An execution as the API tells it."""
    return FillShape(
        execution_id=one.execution_id,
        order_id=one.order_id,
        close_time=time_of(one.close_time) or "",
        symbol=one.symbol,
        side=_side(one.lots),
        quantity=abs(instrument.quantity(one.lots)),
        price=one.price,
        commission=one.commission,
        slippage=one.slippage,
        fill_time=time_of(one.fill_time),
        known_time=time_of(one.known_time),
        models=_parts(one.parts, instrument),
    )


def _parts(parts: dict[str, int], instrument: Instrument) -> dict[str, Decimal]:
    return {model: instrument.quantity(lots) for model, lots in parts.items()}


def _side(lots: int) -> Side:
    return "buy" if side(lots) == "buy" else "sell"
