"""`stratvector ledger`: questions to the running ledger, or to a session's that does not run."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratvector.cli.failures import FAILED, CommandFailed, guarded
from stratvector.cli.outputs import AsJson, Commands, emit

if TYPE_CHECKING:
    from stratvector.cli.ledger_client import LedgerClient, Range

ADDRESS = "127.0.0.1:50055"

Address = Annotated[
    str, typer.Option("--address", metavar="HOST:PORT", help="Where the ledger answers.")
]
SessionFolder = Annotated[
    Path | None,
    typer.Option("--session", metavar="DIR", help="A run's folder, instead of the running ledger."),
]
PortfolioName = Annotated[
    str, typer.Option("--portfolio", metavar="NAME", help="Default: the only one that it records.")
]
RunName = Annotated[
    str, typer.Option("--run", metavar="RUN", help="Default: the only one of the portfolio.")
]
Start = Annotated[str | None, typer.Option(metavar="D", help="First close: a date or UTC time.")]
End = Annotated[str | None, typer.Option(metavar="D", help="Last close: a date or UTC time.")]

ledger = Commands(no_args_is_help=True, help="Ask a ledger what it has recorded.")


@ledger.command(epilog="Example: stratvector ledger status --json")
@guarded
def status(
    address: Address = ADDRESS,
    session: SessionFolder = None,
    portfolio: PortfolioName = "",
    run: RunName = "",
    json: AsJson = None,
) -> None:
    """Tell how far the record has come, and where the account stands."""
    from stratvector.cli import ledger_tables

    with ledger_of(address, session, portfolio, run) as client:
        told = client.status()
    emit(json, ledger_tables.as_document(told), ledger_tables.print_status, told)


@ledger.command(epilog="Example: stratvector ledger orders --start 2018-01-01 --end 2018-01-31")
@guarded
def orders(
    address: Address = ADDRESS,
    session: SessionFolder = None,
    portfolio: PortfolioName = "",
    run: RunName = "",
    start: Start = None,
    end: End = None,
    json: AsJson = None,
) -> None:
    """List approved orders, and what has become of them."""
    from stratvector.cli import ledger_tables

    with ledger_of(address, session, portfolio, run) as client:
        records, sizes = list(client.orders(range_of(start, end))), client.status().lot_sizes
    rows = [ledger_tables.with_quantity(one, sizes) | {"status": one.status} for one in records]
    emit(json, {"orders": rows}, partial(ledger_tables.print_orders, sizes=sizes), records)


@ledger.command(epilog="Example: stratvector ledger fills --start 2018-01-01 --json")
@guarded
def fills(
    address: Address = ADDRESS,
    session: SessionFolder = None,
    portfolio: PortfolioName = "",
    run: RunName = "",
    start: Start = None,
    end: End = None,
    json: AsJson = None,
) -> None:
    """List executions, with each model's part."""
    from stratvector.cli import ledger_tables

    with ledger_of(address, session, portfolio, run) as client:
        records, sizes = list(client.fills(range_of(start, end))), client.status().lot_sizes
    rows = [ledger_tables.with_quantity(one, sizes) for one in records]
    emit(json, {"fills": rows}, partial(ledger_tables.print_fills, sizes=sizes), records)


@ledger.command(epilog="Example: stratvector ledger equity --end 2018-12-31")
@guarded
def equity(
    address: Address = ADDRESS,
    session: SessionFolder = None,
    portfolio: PortfolioName = "",
    run: RunName = "",
    start: Start = None,
    end: End = None,
    json: AsJson = None,
) -> None:
    """List the account at each close, with each model's profit."""
    from stratvector.cli import ledger_tables

    with ledger_of(address, session, portfolio, run) as client:
        records = list(client.equity(range_of(start, end)))
    rows = [ledger_tables.as_document(one) for one in records]
    emit(json, {"closes": rows}, ledger_tables.print_equity, records)


@ledger.command(epilog="Example: stratvector ledger positions --end 2018-12-31")
@guarded
def positions(
    address: Address = ADDRESS,
    session: SessionFolder = None,
    portfolio: PortfolioName = "",
    run: RunName = "",
    end: Annotated[
        str | None, typer.Option(metavar="D", help="After the last close up to here.")
    ] = None,
    json: AsJson = None,
) -> None:
    """List what is held, with each model's part."""
    from stratvector.cli import ledger_tables

    with ledger_of(address, session, portfolio, run) as client:
        held, sizes = client.positions(range_of(None, end).end), client.status().lot_sizes
    document = ledger_tables.as_document(held)
    document["positions"] = [ledger_tables.with_quantity(one, sizes) for one in held.positions]
    emit(json, document, partial(ledger_tables.print_positions, sizes=sizes), held)


@ledger.command(epilog="Example: stratvector ledger attribution --start 2018-01-01")
@guarded
def attribution(
    address: Address = ADDRESS,
    session: SessionFolder = None,
    portfolio: PortfolioName = "",
    run: RunName = "",
    start: Start = None,
    end: End = None,
    json: AsJson = None,
) -> None:
    """Tell what each model has earned and paid."""
    from stratvector.cli import ledger_tables

    with ledger_of(address, session, portfolio, run) as client:
        results = client.attribution(range_of(start, end))
    rows = [ledger_tables.as_document(one) for one in results]
    emit(json, {"models": rows}, ledger_tables.print_attribution, results)


@ledger.command(epilog="Example: stratvector ledger verify --session results/main-1a2b3c4d-1")
@guarded
def verify(address: Address = ADDRESS, session: SessionFolder = None, json: AsJson = None) -> None:
    """Check every hash, the chain, and every row of every table against what was recorded."""
    from stratvector.cli import ledger_tables

    with ledger_of(address, session) as client:
        found = client.verify()
    document = ledger_tables.verification_document(found)
    emit(json, document, ledger_tables.print_verification, found)
    if not found.passed:
        raise typer.Exit(FAILED)


@contextmanager
def ledger_of(
    address: str, session: Path | None, portfolio: str = "", run: str = ""
) -> "Iterator[LedgerClient]":
    """A client of the running ledger, or of a session's that does not run. Raises CommandFailed."""
    from stratvector.cli.finished_ledger import finished_ledger
    from stratvector.cli.ledger_client import LedgerClient

    if session is None:
        with LedgerClient(address, portfolio, run) as client:
            yield client
        return
    if address != ADDRESS:
        raise CommandFailed("--session and --address exclude each other")
    with finished_ledger(session) as found, LedgerClient(found, portfolio, run) as client:
        yield client


def range_of(start: str | None, end: str | None) -> "Range":
    """Closes between two dates or times. Raises CommandFailed."""
    from stratvector.cli.ledger_client import Range
    from stratvector.market.instants import UnknownInstant, first_instant, last_instant

    try:
        first = None if start is None else first_instant(start)
        last = None if end is None else last_instant(end)
    except UnknownInstant as error:
        raise CommandFailed(str(error)) from error
    if first is not None and last is not None and first > last:
        raise CommandFailed(f"--end {end} is before --start {start}")
    return Range(first, last)
