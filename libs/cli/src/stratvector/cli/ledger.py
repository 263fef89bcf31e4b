"""`stratvector ledger`: questions to the running ledger, or to a session's that does not run."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from stratvector.cli.bus_access import told_certificates
from stratvector.cli.failures import FAILED, CommandFailed, guarded
from stratvector.cli.outputs import AsJson, Commands, emit

if TYPE_CHECKING:
    from decimal import Decimal

    from stratvector.runtime.ledger_client import Asked, LedgerClient, Page, Range
    from stratvector.trading.ledger_answers import HeldPositions

ADDRESS = "127.0.0.1:50055"
ANSWER_SECONDS_MAX = 20.0
Answer = TypeVar("Answer")
Record = TypeVar("Record")

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

    told = ask(address, session, (portfolio, run), lambda ledger: ledger.status())
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

    records, sizes = ask(
        address,
        session,
        (portfolio, run),
        _listed(lambda ledger: ledger.orders, range_of(start, end)),
    )
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

    records, sizes = ask(
        address,
        session,
        (portfolio, run),
        _listed(lambda ledger: ledger.fills, range_of(start, end)),
    )
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

    records, _ = ask(
        address,
        session,
        (portfolio, run),
        _listed(lambda ledger: ledger.equity, range_of(start, end)),
    )
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

    at = range_of(None, end).end

    async def question(ledger: "LedgerClient") -> "tuple[HeldPositions, dict[str, Decimal]]":
        return await ledger.positions(at), (await ledger.status()).lot_sizes

    held, sizes = ask(address, session, (portfolio, run), question)
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

    closes = range_of(start, end)
    results = ask(address, session, (portfolio, run), lambda ledger: ledger.attribution(closes))
    rows = [ledger_tables.as_document(one) for one in results]
    emit(json, {"models": rows}, ledger_tables.print_attribution, results)


@ledger.command(epilog="Example: stratvector ledger verify --session results/main-1a2b3c4d-1")
@guarded
def verify(address: Address = ADDRESS, session: SessionFolder = None, json: AsJson = None) -> None:
    """Check every hash, the chain, and every row of every table against what was recorded."""
    from stratvector.cli import ledger_tables

    found = ask(address, session, ANY, lambda ledger: ledger.verify())
    document = ledger_tables.verification_document(found)
    emit(json, document, ledger_tables.print_verification, found)
    if not found.passed:
        raise typer.Exit(FAILED)


ANY = ("", "")  # the only portfolio that there is
Question = Callable[["LedgerClient"], Awaitable[Answer]]


def ask(
    address: str, session: Path | None, whose: tuple[str, str], question: "Question[Answer]"
) -> Answer:
    """What the running ledger says, or a session's that does not run. whose : portfolio and run,
    empty for the only one. Raises CommandFailed.
    """
    from stratvector.cli.finished_ledger import finished_ledger

    if session is None:
        told_certificates()
        return asyncio.run(_asked(address, whose, question))
    if address != ADDRESS:
        raise CommandFailed("--session and --address exclude each other")
    with finished_ledger(session) as found:
        return asyncio.run(_asked(found, whose, question))


async def _asked(address: str, whose: tuple[str, str], question: "Question[Answer]") -> Answer:
    from stratvector.runtime.ledger_client import LedgerClient
    from stratvector.runtime.peer import Away, Peer, PeerError, Stranger, TooSlow
    from stratvector.runtime.served import PortfolioRun

    portfolio, run = whose
    async with Peer("ledger", address, ANSWER_SECONDS_MAX) as peer:
        try:
            return await question(LedgerClient(peer, PortfolioRun(run, portfolio)))
        except Stranger:
            raise CommandFailed(f"what answers at {address} is no ledger") from None
        except TooSlow as error:
            raise CommandFailed(f"{address}: {error}") from None
        except Away:
            raise CommandFailed(f"nothing answers at {address}: is the platform up?") from None
        except PeerError as error:
            raise CommandFailed(str(error)) from None


def _listed(
    listing: "Callable[[LedgerClient], Callable[[Asked], Awaitable[Page[Record]]]]", closes: "Range"
) -> "Question[tuple[list[Record], dict[str, Decimal]]]":
    """All records of a listing, with the sizes that their lots have."""

    async def question(ledger: "LedgerClient") -> "tuple[list[Record], dict[str, Decimal]]":
        from stratvector.runtime.ledger_client import every

        return await every(listing(ledger), closes), (await ledger.status()).lot_sizes

    return question


def range_of(start: str | None, end: str | None) -> "Range":
    """Closes between two dates or times. Raises CommandFailed."""
    from stratvector.market.instants import UnknownInstant, first_instant, last_instant
    from stratvector.runtime.ledger_client import Range

    try:
        first = None if start is None else first_instant(start)
        last = None if end is None else last_instant(end)
    except UnknownInstant as error:
        raise CommandFailed(str(error)) from error
    if first is not None and last is not None and first > last:
        raise CommandFailed(f"--end {end} is before --start {start}")
    return Range(first, last)
