"""event_bodies: the flow's nouns as events.

Quantities, prices and money are plain decimal texts, weights and fractions are numbers, what is
not known is null.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from stratvector.services.gateway.account import Account
from stratvector.services.gateway.chapters import ChapterRow
from stratvector.services.gateway.curve import Curve
from stratvector.services.gateway.events import Event
from stratvector.services.gateway.health import Health
from stratvector.services.gateway.words import side
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.halts import Halt
from stratvector.trading.instruments import Instrument
from stratvector.trading.ledger import Positions, rounded_money
from stratvector.trading.order_causes import deciding_stage, reason_of
from stratvector.trading.orders import ApprovedOrder, Decision, SymbolDecision
from stratvector.trading.signals import Signals
from stratvector.trading.timestamps import utc_text

Instruments = Mapping[str, Instrument]


def decimal_text(value: Decimal) -> str:
    """Money, a price or a quantity as it travels: digits alone, no exponent and no minus zero."""
    return f"{value if value else value.copy_abs():f}"


def money(value: float) -> Decimal | None:
    """The engine's money as the ledger rounds it; None for NaN and infinities."""
    return rounded_money(Decimal(repr(value))) if math.isfinite(value) else None


def number(value: float) -> float | None:
    """A number as JSON has it: NaN and infinities are null."""
    return value if math.isfinite(value) else None


def bars(section: ClosedBars, instruments: Instruments, skipped: int) -> Event:
    """A cross-section's closing prices, at each instrument's precision."""
    closes = {
        symbol: None if price != price else decimal_text(instruments[symbol].price(price))
        for symbol, price in zip(section.symbols, section.close.tolist(), strict=True)
    }
    body = {"universe": section.universe, "timeframe": section.timeframe, "closes": closes}
    return Event("bars", section.universe, section.close_time, body | {"skipped": skipped})


def signals(of_model: Signals, skipped: int) -> Event:
    """A model's target weights, fractions of its budget."""
    rows = [
        {
            "symbol": row.symbol,
            "weight": number(row.weight),
            "confidence": row.confidence,
            "action": row.action.name,
            "reason": row.reason.name.lower(),
        }
        for row in of_model.rows
    ]
    body = {"model": of_model.model, "rows": rows, "skipped": skipped}
    return Event("signals", of_model.model, of_model.close_time, body)


def equity(decision: Decision, curve: Curve, account: Account, skipped: int) -> Event:
    """The account at a decision. halts : those that last."""
    equity, gross_exposure = money(decision.equity), money(decision.gross_exposure)
    body = {
        "equity": None if equity is None else decimal_text(equity),
        "gross_exposure": None if gross_exposure is None else decimal_text(gross_exposure),
        "drawdown": curve.drawdown,
        "max_drawdown": curve.max_drawdown,
        "halted": decision.halted,
        "reduce_only": decision.reduce_only,
        "halted_since": halted_since(account),
        "halts": [halt.document() for halt in account.lasting],
        "skipped": skipped,
    }
    return Event("equity", decision.portfolio, decision.close_time, body)


def halted_since(account: Account) -> str | None:
    """The close from which the portfolio has been halted by its drawdown; None while it is not."""
    return None if account.halted_since is None else utc_text(account.halted_since)


def halt(one: Halt, begins: bool, portfolio: str) -> Event:
    """A breaker that tripped, or one that let go."""
    body = {"event": "began" if begins else "ended", "portfolio": portfolio, **one.document()}
    return Event("halts", portfolio, one.since if begins else one.until or one.since, body)


def orders(decision: Decision, instruments: Instruments, models: Sequence[str]) -> Event:
    """A decision that approved or cancelled something. models : in the configuration's order."""
    decided = {one.symbol: one for one in decision.symbols}
    approved = [
        _order(one, decided.get(one.symbol), decision.halted, instruments[one.symbol], models)
        for one in decision.orders
    ]
    cancels = [{"order_id": one.order_id, "symbol": one.symbol} for one in decision.cancels]
    body = {"orders": approved, "cancels": cancels}
    return Event("orders", decision.portfolio, decision.close_time, body)


def _order(
    order: ApprovedOrder,
    decided: SymbolDecision | None,
    halted: bool,
    instrument: Instrument,
    models: Sequence[str],
) -> dict[str, Any]:
    """An order with its models, its reason and the stage that set its size."""
    return {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": side(order.lots),
        "quantity": decimal_text(abs(instrument.quantity(order.lots))),
        "reference_price": decimal_text(order.reference_price),
        **cause(order, decided, halted, instrument, models),
    }


def cause(
    order: ApprovedOrder,
    decided: SymbolDecision | None,
    halted: bool,
    instrument: Instrument,
    models: Sequence[str],
) -> dict[str, Any]:
    """Why an order was sent: signed quantities of its models, its reason, the stage of its size."""
    return {
        "models": {
            model: decimal_text(instrument.quantity(lots))
            for model, lots in zip(models, order.parts, strict=False)
            if lots
        },
        "reason": reason_of(() if decided is None else decided.weight_reasons, halted),
        "stage": deciding_stage(() if decided is None else decided.stages).name.lower(),
    }


def fill(
    event: FillEvent, close_time: int, instrument: Instrument, cause: Mapping[str, Any]
) -> Event:
    """What the broker did, with its order's cause; quantity, price and commission of executions."""
    body: dict[str, Any] = {
        "event": event.kind.name.lower(),
        "order_id": event.order_id,
        "symbol": event.symbol,
        "text": event.text,
        **cause,
    }
    if event.kind is FillKind.FILLED:
        body |= {
            "side": side(event.lots),
            "quantity": decimal_text(abs(instrument.quantity(event.lots))),
            "price": decimal_text(event.price),
            "commission": decimal_text(event.commission),
        }
    return Event("fills", event.order_id, close_time, body)


def positions(held: Positions, instruments: Instruments) -> Event:
    """What is held."""
    quantities = {
        symbol: decimal_text(instruments[symbol].quantity(lots))
        for symbol, lots in held.positions.items()
    }
    body = {
        "positions": quantities,
        "cash": decimal_text(held.cash),
        "equity": decimal_text(held.equity),
    }
    return Event("positions", held.portfolio, held.close_time, body)


def chapter(row: ChapterRow, portfolio: str) -> Event:
    """A chapter that opened. close_time : the last one before it, none for the first."""
    body = {
        "chapter": row.number,
        "engine_hash": row.engine_hash,
        "by": row.applied_by,
        "at": utc_text(row.applied_at) if row.applied_at else None,
        "changes": list(row.changes),
    }
    return Event("chapters", portfolio, row.after or 0, body)


def health(one: Health) -> Event:
    """What a process says of itself."""
    body = {"service": one.name, "state": one.state, "level": one.level, "reason": one.reason}
    return Event("health", one.name, 0, body)
