"""An explanation as a person reads it, and as JSON values."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from stratvector.cli.fitted_table import Column, Fitted, print_tables
from stratvector.cli.ledger_tables import as_document, print_fills
from stratvector.trading.explanation import Explanation
from stratvector.trading.ledger_answers import OrderRecord, Rejections
from stratvector.trading.reasons import OUTCOME_WORDS, Outcome
from stratvector.trading.timestamps import utc_text

WORDS = frozenset({"model", "stage", "action", "why", "rule", "symbol", "close", ""})


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON values."""
    document = as_document(explanation)
    if explanation.order is not None:
        document["order"]["status"] = explanation.order.status
    return document


def rejections_document(rejections: Rejections) -> dict[str, Any]:
    """Rejections as JSON values."""
    return {
        "total": rejections.total,
        "rejections": [as_document(one) for one in rejections.records],
    }


def print_explanation(console: Console, told: Explanation) -> None:
    """Print bar, weights, stages, order and executions, and first the verdict."""
    when = utc_text(told.close_time)
    verdict = f"{told.symbol} at {when}: {told.outcome.name.lower()}: {told.sentence}"
    _line(console, verdict, "bold")
    mark = "no price came with the bar" if told.mark is None else f"price {told.mark:f}"
    bars = f", bars message {told.bars_id}" if told.bars_id else ""
    _line(console, f"bar: {mark}{bars}")
    wishes = [
        (
            one.model,
            "–" if one.weight != one.weight else f"{one.weight:.4g}",
            f"{one.budget:.2%}",
            one.action.name.lower(),
            one.sentence,
        )
        for one in told.models
    ]
    _table(console, "Models", ("model", "weight", "budget", "action", "why"), wishes)
    steps = [
        (one.stage.name.lower(), f"{one.exposure:.2%}", "cut" if one.cut else "", one.sentence)
        for one in told.stages
    ]
    if steps:
        _table(console, "Exposure after each stage", ("stage", "exposure", "", "rule"), steps)
    _line(
        console,
        f"lots of {told.lot_size:f}: {told.held_lots:,} held, {told.target_lots:,} wanted, "
        f"equity {told.equity:,.2f}",
    )
    if told.order is not None:
        _line(console, _order(told.order))
    if told.fills:
        print_fills(console, told.fills, {told.symbol: told.lot_size})


def print_rejections(
    console: Console, rejections: Rejections, reason: Outcome, symbol: str
) -> None:
    """Print which symbols had no order for a reason, and when."""
    of = f" of {symbol}" if symbol else ""
    title = f"{reason.name.lower()} {rejections.total:,}{of}: {OUTCOME_WORDS[reason]}"
    if symbol:
        rows = [(utc_text(one.first_close),) for one in rejections.records]
        _table(console, title, ("close",), rows)
        if rejections.total > len(rows):
            console.print(f"the newest {len(rows):,} of {rejections.total:,}")
        return
    counted = [
        (one.symbol, f"{one.count:,}", utc_text(one.first_close), utc_text(one.last_close))
        for one in rejections.records
    ]
    _table(console, title, ("symbol", "times", "first", "last"), counted)


def _order(order: OrderRecord) -> str:
    parts = ", ".join(f"{model} {lots:+,}" for model, lots in order.parts.items())
    side = "buy" if order.lots > 0 else "sell"
    text = f" ({order.text})" if order.text else ""
    return (
        f"order {order.order_id}: {side} {abs(order.lots):,} lots near "
        f"{order.reference_price:f}, {order.status}, {abs(order.filled_lots):,} filled{text}; "
        f"models {parts}"
    )


def _line(console: Console, words: str, style: str = "") -> None:
    console.print(Text(words, style=style), soft_wrap=True)


def _table(
    console: Console, title: str, heads: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> None:
    columns = tuple(Column(head, words=head in WORDS) for head in heads)
    none = ("none", *[""] * (len(heads) - 1))
    print_tables(console, Fitted(title, columns, tuple(rows) or (none,)))
