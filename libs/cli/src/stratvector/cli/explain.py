"""`stratvector explain`: why an order was sent, or why there was none."""

import re
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from stratvector.cli.failures import CommandFailed, guarded
from stratvector.cli.ledger import (
    ADDRESS,
    Address,
    End,
    PortfolioName,
    RunName,
    SessionFolder,
    Start,
    ask,
    range_of,
)
from stratvector.cli.outputs import AsJson, emit

if TYPE_CHECKING:
    from stratvector.cli.ledger import Question
    from stratvector.trading.explanation import Explanation
    from stratvector.trading.reasons import Outcome

# Ids of orders are UUIDs; their first eight digits are enough.
ORDER = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]*)?", re.IGNORECASE)


@guarded
def explain(
    what: Annotated[
        str | None,
        typer.Argument(metavar="ORDER|SYMBOL[@TIME]", help="An order's id, or a symbol at a time."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="List what had no order for a reason, as below_band."),
    ] = None,
    symbol: Annotated[
        str, typer.Option(metavar="NAME", help="With --reason: each close of one symbol.")
    ] = "",
    start: Start = None,
    end: End = None,
    address: Address = ADDRESS,
    session: SessionFolder = None,
    portfolio: PortfolioName = "",
    run: RunName = "",
    json: AsJson = None,
) -> None:
    """Tell why an order was sent, or why there was none: bar, weights, limits, order, fills."""
    from stratvector.cli import explain_tables as tables

    if (what is None) == (reason is None):
        raise CommandFailed("name an order, a symbol such as AAPL@2018-02-06, or a --reason")
    if reason is None and (symbol or start or end):
        raise CommandFailed("--symbol, --start and --end go with --reason; write SYMBOL@TIME")
    if reason is not None:
        closes, outcome = range_of(start, end), _reason(reason)
        found = ask(
            address,
            session,
            (portfolio, run),
            lambda ledger: ledger.rejections(closes, outcome, symbol),
        )
        show = partial(tables.print_rejections, reason=outcome, symbol=symbol)
        emit(json, tables.rejections_document(found), show, found)
        return
    explanation = ask(address, session, (portfolio, run), _explaining(what or ""))
    emit(json, tables.explanation_document(explanation), tables.print_explanation, explanation)


def _explaining(what: str) -> "Question[Explanation]":
    if ORDER.fullmatch(what):
        return lambda ledger: ledger.explain(order_id=what)
    symbol, _, time = what.rpartition("@") if "@" in what else (what, "", "")
    if not symbol:
        raise CommandFailed(f"{what!r} names no symbol; write it as AAPL@2018-02-06")
    at = range_of(None, time or None).end
    return lambda ledger: ledger.explain(symbol=symbol, at=at)


def _reason(name: str) -> "Outcome":
    from stratvector.trading.reasons import UnknownReason, rejection_named

    try:
        return rejection_named(name)
    except UnknownReason as error:
        raise CommandFailed(str(error)) from error
