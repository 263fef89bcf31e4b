"""explanation: how one symbol came to an order, or to the reason why there is none.

    bar ─▶ each model's weight ─▶ exposure after each stage ─▶ target in lots ─▶ order ─▶ fills

Pure: read off the ledger's entries of the close and of the order's events. Exposures are fractions
of the equity at the decision.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.instruments import Instrument
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.ledger_answers import FillRecord, OrderRecord
from stratvector.trading.order_causes import deciding_stage, reason_of
from stratvector.trading.orders import ApprovedOrder, SymbolDecision
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.reasons import (
    OUTCOME_WORDS,
    SIGNAL_WORDS,
    STAGE_WORDS,
    WEIGHT_WORDS,
    Outcome,
    SignalReason,
    Stage,
    WeightReason,
)
from stratvector.trading.roles import MANUAL, Role
from stratvector.trading.signals import Action, SignalRow

NAN = float("nan")
LIMITS = {
    Stage.SYMBOL: "symbol",
    Stage.ASSET: "asset",
    Stage.INVESTED: "invested",
    Stage.GROSS: "gross",
    Stage.CAPITAL: "capital",
}


class NotDecided(LookupError):
    """The entry's decision says nothing about the symbol; the message is one sentence."""


@dataclass(frozen=True)
class ModelWish:
    """What one model asked for. version : empty when it sent no signals at this close.

    weight : fraction of its budget, NaN = unknown. budget : times its multiplier, fraction of
    equity. lots : its signed part of the order.
    """

    model: str
    version: str
    weight: float
    confidence: float
    action: Action
    reason: SignalReason
    weight_reason: WeightReason
    budget: float
    lots: int
    sentence: str


@dataclass(frozen=True)
class StageStep:
    """One stage: the exposure that it left, and whether it took something."""

    stage: Stage
    exposure: float
    cut: bool
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """Why a symbol was ordered, or was not, at one close (ns UTC).

    sentence : how the plan ended, with its numbers. mark : the price that came with the close's
    bar, None = none came. bars_id : of the bars message, empty = none. stages : empty when nothing
    was planned. fills : the order's, as far as they are recorded.
    """

    portfolio: str
    close_time: int
    symbol: str
    outcome: Outcome
    sentence: str
    mark: Decimal | None
    bars_id: str
    equity: float
    lot_size: Decimal
    held_lots: int
    target_lots: int
    models: tuple[ModelWish, ...]
    stages: tuple[StageStep, ...]
    order: OrderRecord | None
    fills: tuple[FillRecord, ...]


def explain(
    portfolio: Portfolio, entry: LedgerEntry, symbol: str, later: Sequence[LedgerEntry] = ()
) -> Explanation:
    """The explanation of one symbol at an entry's close.

    later : the entries with events of the symbol's order, in their order. Raises NotDecided.
    """
    decided = next((one for one in entry.decision.symbols if one.symbol == symbol), None)
    instrument = next((one for one in portfolio.instruments if one.symbol == symbol), None)
    if decided is None or instrument is None:
        raise NotDecided(f"nothing was decided about {symbol!r} at this close")
    order = next((one for one in entry.decision.orders if one.symbol == symbol), None)
    universe = next(u.name for u in portfolio.universes if symbol in u.symbols)
    names, cut = portfolio.model_names, entry.decision.cut
    return Explanation(
        portfolio=entry.portfolio,
        close_time=entry.close_time,
        symbol=symbol,
        outcome=decided.outcome,
        sentence=_outcome(decided, entry, instrument, order),
        mark=entry.marks.get(symbol),
        bars_id="" if universe in cut.absent else cut.bars.get(universe, ""),
        equity=entry.decision.equity,
        lot_size=instrument.lot_size,
        held_lots=entry.positions.get(symbol, 0),
        target_lots=decided.target_lots,
        models=tuple(
            _wish(place, model, entry, decided, order)
            for place, model in enumerate(portfolio.models)
            if model.universe == universe or _keeps(place, model, entry, symbol)
        ),
        stages=tuple(_steps(decided, entry, portfolio, instrument)),
        order=None if order is None else _record(order, decided, entry, names, later),
        fills=() if order is None else tuple(_fills(order, names, later)),
    )


def _outcome(
    decided: SymbolDecision, entry: LedgerEntry, instrument: Instrument, order: ApprovedOrder | None
) -> str:
    words = OUTCOME_WORDS[decided.outcome]
    if order is not None:
        side = "buy" if order.lots > 0 else "sell"
        size = f"{abs(instrument.quantity(order.lots))} {order.symbol}"
        return f"{words}: {side} {size} near {order.reference_price}"
    if decided.outcome is not Outcome.BELOW_BAND:
        return words
    held = entry.positions.get(decided.symbol, 0)
    change = decided.target_lots - held
    mark = entry.marks.get(decided.symbol)
    worth = "" if mark is None else f", worth {abs(instrument.quantity(change)) * mark:,.2f}"
    return (
        f"{words} (the rebalance band, or the smallest order): from {held:,} to "
        f"{decided.target_lots:,} lots{worth}, at an equity of {entry.decision.equity:,.2f}"
    )


def _keeps(place: int, model: ModelAllocation, entry: LedgerEntry, symbol: str) -> bool:
    return model.role is Role.KEEPING and symbol in entry.models[place].positions


def _wish(
    place: int,
    model: ModelAllocation,
    entry: LedgerEntry,
    decided: SymbolDecision,
    order: ApprovedOrder | None,
) -> ModelWish:
    sent = next((one for one in entry.signals if one.model == model.name), None)
    row = next((one for one in sent.rows if one.symbol == decided.symbol), None) if sent else None
    cut = entry.decision.cut
    multiplier = cut.multipliers[place] if place < len(cut.multipliers) else 1.0
    weight_reason = (
        decided.weight_reasons[place] if place < len(decided.weight_reasons) else WeightReason.FRESH
    )
    late = cut.is_late(model.name)
    row = row or SignalRow(decided.symbol, NAN, NAN, Action.HOLD, SignalReason.NONE)
    budget = model.budget_fraction * multiplier
    return ModelWish(
        model.name,
        "" if sent is None else sent.version,
        row.weight,
        row.confidence,
        row.action,
        row.reason,
        weight_reason,
        budget,
        order.parts[place] if order is not None else 0,
        _removed_words(model.role, entry.models[place].positions.get(decided.symbol, 0))
        or _wish_words(row, weight_reason, budget, late, sent is None),
    )


def _removed_words(role: Role, lots: int) -> str:
    """Of a model that sends no signals any more; lots : signed, that it has after the decision."""
    return {
        Role.ACTIVE: "",
        Role.CLOSING: "it was removed: what it holds is sold",
        Role.GIVING: f"it was removed: what it holds is handed to {MANUAL}",
        Role.KEEPING: f"it keeps what it was given, as far as the limits allow: {lots:,} lots",
    }[role]


def _wish_words(
    row: SignalRow, weight_reason: WeightReason, budget: float, late: bool, silent: bool
) -> str:
    came = "it sent no signals at this close" if silent else ""
    words = [
        "its signals came too late" if late else came,
        SIGNAL_WORDS[row.reason],
        WEIGHT_WORDS[weight_reason],
    ]
    if row.weight == row.weight and not late:
        words.insert(0, f"{row.weight:.4g} of {budget:.2%} is {row.weight * budget:.2%}")
    return "; ".join(word for word in words if word)


def _steps(
    decided: SymbolDecision, entry: LedgerEntry, portfolio: Portfolio, instrument: Instrument
) -> Iterator[StageStep]:
    before: float | None = None
    for stage, exposure in zip(Stage, decided.stages, strict=False):
        cut = before is not None and exposure != before
        words = STAGE_WORDS[stage]
        limit = _limit(stage, entry, portfolio, instrument)
        if cut:
            words += f"{limit}: from {before:.2%} to {exposure:.2%}"
        yield StageStep(stage, exposure, cut, words)
        before = exposure


def _limit(stage: Stage, entry: LedgerEntry, portfolio: Portfolio, instrument: Instrument) -> str:
    """A stage's number, in brackets."""
    if stage is Stage.DRAWDOWN:
        return f" (factor {entry.decision.drawdown_factor:g})"
    if stage is Stage.CLASS:
        limit = portfolio.limits.class_caps.get(instrument.asset_class)
        return "" if limit is None else f" {instrument.asset_class} ({limit:g})"
    limit = getattr(portfolio.limits, LIMITS[stage]) if stage in LIMITS else None
    return "" if limit is None else f" ({limit:,g})"


def _record(
    order: ApprovedOrder,
    decided: SymbolDecision,
    entry: LedgerEntry,
    models: Sequence[str],
    later: Sequence[LedgerEntry],
) -> OrderRecord:
    events = [event for _, event in _events(order, later)]
    return OrderRecord(
        close_time=entry.close_time,
        order_id=order.order_id,
        symbol=order.symbol,
        lots=order.lots,
        parts=_parts(models, order.parts),
        reference_price=order.reference_price,
        expires_at=order.expires_at,
        filled_lots=sum(e.lots for e in events if e.kind is FillKind.FILLED),
        last_event=events[-1].kind if events else None,
        text=events[-1].text if events else "",
        reason=reason_of(decided.weight_reasons, entry.decision.halted),
        stage=deciding_stage(decided.stages),
    )


def _fills(
    order: ApprovedOrder, models: Sequence[str], later: Sequence[LedgerEntry]
) -> Iterator[FillRecord]:
    for entry, event in _events(order, later):
        if event.kind is FillKind.FILLED:
            yield FillRecord(
                close_time=entry.close_time,
                execution_id=event.execution_id,
                order_id=event.order_id,
                symbol=event.symbol,
                lots=event.lots,
                parts=_parts(models, dict(entry.attributed)[event.execution_id]),
                price=event.price,
                commission=event.commission,
                slippage=event.slippage,
                fill_time=event.fill_time,
                known_time=event.known_time,
            )


def _events(
    order: ApprovedOrder, later: Sequence[LedgerEntry]
) -> Iterator[tuple[LedgerEntry, FillEvent]]:
    for entry in later:
        for event in entry.events:
            if event.order_id == order.order_id:
                yield entry, event


def _parts(models: Sequence[str], lots: Sequence[int]) -> dict[str, int]:
    return {model: part for model, part in zip(models, lots, strict=True) if part}
