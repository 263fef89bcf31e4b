"""What reports of fills may say."""

from decimal import Decimal
from typing import Final

from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.rules import (
    check_close,
    check_known,
    check_lots,
    check_price,
    check_same,
)
from stratvector.trading.meaning.ticks import check_named, check_named_of
from stratvector.trading.unfit import Absurd

FEE_MIN_MAX: Final = Decimal(100)  # a venue's least fee, which a tiny order may pay


def check_report(report: FillsReport) -> None:
    """Executions have lots, a price and a fee that is no more than the trade; nothing else has
    any. Only a report that closes names bars. Raises Absurd.
    """
    if report.closed is not None:
        check_close("closed", report.closed)
    elif report.bars or report.late:
        raise Absurd(f"report {report.number} names bars, but it closes nothing")
    check_named(report.bars, report.late)
    for event in report.events:
        if not event.order_id:
            raise Absurd(f"an event of {event.symbol} names no order")
        if event.kind is FillKind.FILLED:
            _check_execution(event)
        elif event.lots or event.price or event.commission or event.slippage:
            raise Absurd(
                f"{event.kind.name.lower()} of order {event.order_id} carries lots or money; "
                "only an execution has any"
            )
        if not 0 <= event.fill_time <= event.known_time:
            raise Absurd(
                f"an event of order {event.order_id} is of {event.fill_time} ns and known at "
                f"{event.known_time}; 0 <= fill_time <= known_time must hold"
            )
    executions = [event.execution_id for event in report.events if event.execution_id]
    if len(set(executions)) != len(executions):
        raise Absurd("an execution comes twice in one report")


def check_report_of(report: FillsReport, own: Own, account: str) -> None:
    """An account's own report, of its symbols; in a run with deadlines the leading account's name
    bars. Raises Absurd.
    """
    check_same("portfolio", report.portfolio, own.portfolio)
    check_same("account", report.account, account)
    check_known("symbol", [event.symbol for event in report.events], own.lot_sizes)
    for event in report.events:
        check_same(f"account of {event.symbol}", own.accounts[event.symbol], account)
    check_named_of(report.bars, report.late, own)
    names_bars = own.has_deadlines and account == own.leading
    if report.closed is not None and names_bars != bool(report.bars or report.late):
        others = f"account {own.leading} alone does" if own.has_deadlines else "a replay does not"
        told = "names no bars" if names_bars else f"names bars, which {others}"
        raise Absurd(f"report {report.number} closes {report.closed} ns and {told}")
    for event in report.events:
        most = max(abs(event.lots) * own.lot_sizes[event.symbol] * event.price, FEE_MIN_MAX)
        for what, money in (("commission", event.commission), ("slippage", event.slippage)):
            if not -most <= money <= most:
                raise Absurd(
                    f"{what} of execution {event.execution_id} is {money:f}; it must not be more "
                    f"than {most:f}, the larger of the trade and {FEE_MIN_MAX}"
                )


def check_next_report(report: FillsReport, number: int) -> None:
    """Reports are numbered without a gap; `number` is due. Raises Absurd."""
    if report.number != number:
        raise Absurd(f"report {report.number} came where {number} was due")


def _check_execution(event: FillEvent) -> None:
    what = f"execution {event.execution_id} of order {event.order_id}"
    if not event.execution_id:
        raise Absurd(f"an execution of order {event.order_id} has no id")
    check_lots(what, event.lots)
    check_price(f"the price of {what}", event.price)
    if event.commission < 0:
        raise Absurd(f"commission of {what} is {event.commission:f}; it must be at least 0")
