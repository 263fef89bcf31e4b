"""`stratvector portfolios`: what is wanted of each portfolio in each run, and what holds."""

import asyncio
import json as json_text
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratvector.cli.bus_access import (
    DEFAULT_URL,
    Connect,
    Reached,
    SeedFile,
    Url,
    reached,
    user_name,
)
from stratvector.cli.failures import CommandFailed, guarded
from stratvector.cli.outputs import AsJson, Commands, check_outputs, emit

if TYPE_CHECKING:
    from rich.console import Console

    from stratvector.contracts.codecs import Decided
    from stratvector.runtime.chapters import Standing
    from stratvector.runtime.documents import Wish, Wished

portfolios = Commands(
    no_args_is_help=True, help="See what is wanted of portfolios and what holds, and stop them."
)
LOOK_SECONDS = 0.2
NOT_TAKEN_UP = 75  # try again later; the wish stays
Key = Annotated[str, typer.Argument(metavar="RUN.PORTFOLIO", help="As `portfolios list` shows it.")]


@portfolios.command("list", epilog="Example: stratvector portfolios list")
@guarded
def list_(
    nats_url: Url = DEFAULT_URL,
    seed_file: SeedFile = None,
    connect: Connect = 10.0,
    json: AsJson = None,
) -> None:
    """Every portfolio that is wanted: its run, who asked for it, and how far it is."""
    check_outputs(json)
    found = _asked(nats_url, seed_file, connect, _all)
    document = {"portfolios": found}
    emit(json, document, _print_all, document)


@portfolios.command("show", epilog="Example: stratvector portfolios show replay.4f27e6dc.main")
@guarded
def show(
    key: Key,
    nats_url: Url = DEFAULT_URL,
    seed_file: SeedFile = None,
    connect: Connect = 10.0,
    json: AsJson = None,
) -> None:
    """What is wanted of one portfolio, whole."""
    check_outputs(json)

    async def look(at: Reached) -> dict[str, Any]:
        wanted = await _wanted(at, key)
        return await _row(at, wanted) | {"document": json_text.loads(wanted.wish.document)}

    document = _asked(nats_url, seed_file, connect, look)
    emit(json, document, _print_document, document)


@portfolios.command("history", epilog="Example: stratvector portfolios history replay.1.main")
@guarded
def history(
    key: Key,
    nats_url: Url = DEFAULT_URL,
    seed_file: SeedFile = None,
    connect: Connect = 10.0,
    json: AsJson = None,
) -> None:
    """Every chapter of one portfolio: from which close, by which engine, what changed."""
    check_outputs(json)
    document = _asked(nats_url, seed_file, connect, lambda at: _history(at, key))
    emit(json, document, _print_history, document)


@portfolios.command("stop", epilog="Example: stratvector portfolios stop paper.1.main")
@guarded
def stop(
    key: Key,
    nats_url: Url = DEFAULT_URL,
    seed_file: SeedFile = None,
    connect: Connect = 10.0,
    wait: Annotated[
        float,
        typer.Option(metavar="S", min=0, help="How long to wait until it has ended, in seconds."),
    ] = 30.0,
    json: AsJson = None,
) -> None:
    """Trade no more in this run: orders are cancelled, what is held stays held. There is no way
    back; the same configuration may be applied as another run.
    """
    check_outputs(json)
    document = _asked(nats_url, seed_file, connect, lambda at: _stop(at, key, wait))
    emit(json, document, _print_stopped, document)
    if document["state"] == "stopping":
        raise typer.Exit(NOT_TAKEN_UP)


@portfolios.command("release", epilog="Example: stratvector portfolios release paper.1.main")
@guarded
def release(
    key: Key,
    nats_url: Url = DEFAULT_URL,
    seed_file: SeedFile = None,
    connect: Connect = 10.0,
    json: AsJson = None,
) -> None:
    """Let a restored portfolio trade. Before: compare the broker's open orders and positions with
    the ledger's, as what was sent after the backup was made stands in neither log nor ledger.
    """
    check_outputs(json)
    document = _asked(nats_url, seed_file, connect, lambda at: _release(at, key))
    emit(json, document, _print_released, document)


def _asked(
    url: str,
    seed_file: Path | None,
    connect_seconds: float,
    look: Callable[[Reached], Awaitable[Any]],
) -> Any:
    async def ask() -> Any:
        async with reached(url, seed_file, connect_seconds) as at:
            return await look(at)

    return asyncio.run(ask())


async def _release(at: Reached, key: str) -> dict[str, Any]:
    """Raises CommandFailed where nothing is held that a person may release."""
    from stratvector.runtime.holds import EVERYTHING
    from stratvector.runtime.ports import WrongRevision
    from stratvector.trading.nearest import suggestion

    holds = {key: hold for key, hold in (await at.holds.all()).items() if hold.stands}
    if EVERYTHING in holds:
        raise CommandFailed(f"nothing is released: {holds[EVERYTHING].sentence()}")
    if key not in holds:
        near = suggestion(key, list(holds)) if holds else "nothing is"
        raise CommandFailed(f"{key!r} is not held; {near}")
    try:
        await at.holds.release(key, user_name(), time.time_ns())
    except WrongRevision:
        raise CommandFailed(f"{key} was changed meanwhile: look at it again") from None
    return {"key": key, "released_by": user_name(), "backup": holds[key].backup}


def _print_released(console: "Console", document: dict[str, Any]) -> None:
    console.out(f"{document['key']}: released; execution takes its lanes.", highlight=False)


async def _all(at: Reached) -> list[dict[str, Any]]:
    return [await _row(at, one) for one in await at.documents.all()]


async def _wanted(at: Reached, key: str) -> "Wished":
    """What is wanted under a key. Raises CommandFailed."""
    from stratvector.trading.nearest import suggestion

    known = {one.wish.key: one for one in await at.documents.all()}
    if key not in known:
        near = suggestion(key, list(known)) if known else "none is wanted"
        raise CommandFailed(f"there is no portfolio {key!r}; {near}")
    return known[key]


async def _stop(at: Reached, key: str, wait_seconds: float) -> dict[str, Any]:
    """What came of it. Raises StaleDocument."""
    from stratvector.runtime.applying import stop as stopped

    wanted = await _wanted(at, key)
    wished = await stopped(at.documents, wanted, user_name(), time.time_ns())
    deadline, row = time.monotonic() + wait_seconds, await _row(at, wished)
    while row["state"] == "stopping" and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        row = await _row(at, wished)
    return row


def _print_stopped(console: "Console", row: dict[str, Any]) -> None:
    if row["state"] == "stopping":
        told = "no risk service has ended it yet; it stays wished"
    else:
        told = f"it has ended with the close at {row['last_close']}"
    console.out(f"{row['key']}: stopped, {told}.", highlight=False)


async def _row(at: Reached, wanted: "Wished") -> dict[str, Any]:
    """One portfolio, and how far the log is."""
    from stratvector.runtime.chapter_watch import newest_decided
    from stratvector.runtime.chapters import newest_chapter
    from stratvector.trading.lanes import orders_lane
    from stratvector.trading.timestamps import utc_text

    wish = wanted.wish
    begun = await newest_chapter(at.bus, wish.run, wish.portfolio)
    session = wish.session()
    newest = await newest_decided(at.bus, orders_lane(session.portfolio)) if begun else None
    state = _state(wish, begun is not None, session.last_close, newest)
    if state in ("running", "wanted", "stopping") and await at.holds.of(wish.key) is not None:
        state = "held"
    return {
        "key": wish.key,
        "run": wish.run,
        "portfolio": wish.portfolio,
        "state": state,
        "version": wanted.version,
        "by": wish.by,
        "at": utc_text(wish.at),
        "last_close": None if newest is None else utc_text(newest.close_time),
    }


def _state(wish: "Wish", begun: bool, last_close: int | None, newest: "Decided | None") -> str:
    """In one word."""
    if newest is not None and newest.ended:
        return "stopped"
    if newest is not None and newest.close_time == last_close:
        return "ended"
    if wish.stopped:
        return "stopping"
    return "running" if begun else "wanted"


async def _history(at: Reached, key: str) -> dict[str, Any]:
    from stratvector.runtime.chapters import opened_chapters
    from stratvector.runtime.document_changes import changes, described, engine_change

    wish = (await _wanted(at, key)).wish
    rows: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    engine = ""
    for standing in await opened_chapters(at.bus, wish.run, wish.portfolio):
        document = described(standing.chapter)
        own, changed = standing.chapter.engine_hash, list[dict[str, str]]()
        if before is not None:
            changed = [*engine_change(engine, own), *changes(before, document)]
        rows.append(_told(standing) | {"changes": changed})
        before, engine = document, own
    return {"key": key, "chapters": rows}


def _told(standing: "Standing") -> dict[str, Any]:
    """A chapter but for what changed. after : the close that it opened after, None at the start."""
    from stratvector.runtime.logged_session import LoggedSession
    from stratvector.trading.timestamps import utc_text

    chapter, carried = standing.chapter, standing.carried
    after = 0 if carried is None else carried.close_time  # 0: it opened before the first decision
    start = after or LoggedSession(chapter).start
    return {
        "chapter": chapter.number,
        "from": utc_text(start),
        "after": utc_text(after) if after else None,
        "engine_hash": chapter.engine_hash,
        "by": chapter.applied_by,
        "at": utc_text(chapter.applied_at) if chapter.applied_at else None,
    }


def _print_all(console: "Console", document: dict[str, Any]) -> None:
    from stratvector.cli.fitted_table import Column, Fitted, print_tables

    heads = ("portfolio", "run", "state", "last close", "wanted by", "at")
    columns = tuple(Column(head, words=True) for head in heads)
    rows = tuple(
        (one["portfolio"], one["run"], one["state"], one["last_close"] or "–", one["by"], one["at"])
        for one in document["portfolios"]
    )
    if not rows:
        console.out("No portfolio is wanted; `stratvector apply` wants one.", highlight=False)
        return
    print_tables(console, Fitted("Portfolios", columns, rows))


def _print_document(console: "Console", document: dict[str, Any]) -> None:
    console.out(json_text.dumps(document, indent=2, ensure_ascii=False), highlight=False)


def _print_history(console: "Console", document: dict[str, Any]) -> None:
    from stratvector.runtime.change_words import lines

    if not document["chapters"]:
        console.out(f"{document['key']} has not begun.", highlight=False)
    for one in document["chapters"]:
        begins = f"from {one['from']}" if one["after"] is None else f"after {one['after']}"
        wanted = f", wanted by {one['by']} at {one['at']}" if one["by"] else ""
        engine = f"engine {one['engine_hash']}"
        console.out(f"chapter {one['chapter']} {begins}, {engine}{wanted}", highlight=False)
        for line in lines(one["changes"]):
            console.out(f"  {line}", highlight=False)
