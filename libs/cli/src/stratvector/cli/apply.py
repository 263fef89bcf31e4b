"""`stratvector apply`: what a configuration says becomes what is wanted of a portfolio in a run.

    configuration, bars ─▶ document ─▶ held against the log ─▶ wanted ─▶ begun: in the log

Services find it on their bus: nobody tells them of files.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratvector.cli.bus_access import DEFAULT_URL, Connect, SeedFile, Url, reached, user_name
from stratvector.cli.failures import CommandFailed, guarded
from stratvector.cli.outputs import AsJson, check_outputs, emit
from stratvector.cli.portfolios import LOOK_SECONDS, NOT_TAKEN_UP

if TYPE_CHECKING:
    from rich.console import Console

    from stratvector.runtime.chapters import Standing
    from stratvector.runtime.documents import Wish


class Look(Enum):
    """What is only looked at: whether it can be applied, or what would differ."""

    DRY_RUN = "dry run"
    DIFF = "diff"


File = Annotated[
    Path,
    typer.Option("--file", "-f", metavar="FILE", help="system.yaml; others lie beside it."),
]
RunName = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="ID",
        help="The run's name, instead of a replay's hash of its configuration or paper's 1.",
    ),
]


@guarded
def apply(
    file: File = Path("config/system.yaml"),
    run: RunName = None,
    start: Annotated[str | None, typer.Option(metavar="D", help="First close that trades.")] = None,
    end: Annotated[str | None, typer.Option(metavar="D", help="Last close.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, and change nothing.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what would differ, and change nothing.")
    ] = False,
    nats_url: Url = DEFAULT_URL,
    seed_file: SeedFile = None,
    connect: Connect = 10.0,
    wait: Annotated[
        float,
        typer.Option(metavar="S", min=0, help="How long to wait until it holds, in seconds."),
    ] = 30.0,
    json: AsJson = None,
) -> None:
    """Want a portfolio to run as a configuration says; applied again, nothing changes."""
    from stratvector.config import read_configuration
    from stratvector.trading.runs import PAPER

    check_outputs(json)
    is_paper = read_configuration(file).system.system.mode == PAPER
    wishing = _paper(file, run, start, end) if is_paper else _replay(file, run, start, end)
    looks = Look.DIFF if diff else Look.DRY_RUN if dry_run else None
    document = asyncio.run(_applied(wishing, looks, nats_url, seed_file, connect, wait))
    emit(json, document, _tell_diff if diff else _tell, document)
    if document["state"] in ("wanted", "superseded"):
        raise typer.Exit(NOT_TAKEN_UP)


@dataclass(frozen=True)
class Wishing:
    """A wish to be made. key : of its document. make : takes what is wanted already."""

    key: str
    make: "Callable[[Wish | None], Awaitable[Wish]]"


def _replay(file: Path, run: str | None, start: str | None, end: str | None) -> Wishing:
    """Of recorded bars, which are loaded at once. Raises BadConfig, CommandFailed."""
    from dataclasses import replace

    from stratvector.cli.runs import load, runnable
    from stratvector.config import session_of
    from stratvector.runtime.documents import warmups_of, wish_of

    configuration = runnable(file, "apply")
    session = load(configuration, start, end)
    if run is not None:
        session = _named(session, run)
    wish = wish_of(session, user_name(), time.time_ns())

    async def make(before: "Wish | None") -> "Wish":
        if before is None or before.bars == wish.bars:
            return wish
        again = session_of(replace(configuration, began=warmups_of(before)), start, end)
        run_again = replace(again.portfolio, run=session.portfolio.run)
        return wish_of(replace(again, portfolio=run_again), wish.by, wish.at)

    return Wishing(wish.key, make)


def _paper(file: Path, run: str | None, start: str | None, end: str | None) -> Wishing:
    """Of live candles. Raises BadConfig, CommandFailed."""
    from stratvector.cli.paper_wish import VENUE_SECONDS, paper_wish
    from stratvector.config import read_configuration
    from stratvector.trading.runs import PAPER, check_run

    if start is not None or end is not None:
        raise CommandFailed(
            "--start and --end are for replays: a paper run begins at the first close after it is "
            "applied and has no end"
        )
    configuration, named = read_configuration(file), f"{PAPER}.{run or 1}"
    try:
        check_run(named)
    except ValueError as error:
        raise CommandFailed(f"--run {run!r}: {error}") from None

    async def make(before: "Wish | None") -> "Wish":
        return await paper_wish(configuration, named, before, VENUE_SECONDS)

    return Wishing(f"{named}.{configuration.system.system.portfolio}", make)


def _named(session: Any, run: str) -> Any:
    from dataclasses import replace

    from stratvector.trading.runs import REPLAY

    try:
        return replace(session, portfolio=replace(session.portfolio, run=f"{REPLAY}.{run}"))
    except ValueError as error:
        raise CommandFailed(f"--run {run!r}: {error}") from None


async def _applied(
    wishing: Wishing,
    looks: Look | None,
    url: str,
    seed_file: Path | None,
    connect_seconds: float,
    wait_seconds: float,
) -> dict[str, Any]:
    """What came of it. Raises BusConnectionError, OtherChapter, BadSession, StaleDocument."""
    from stratvector.runtime.applying import apply as applied
    from stratvector.runtime.applying import refuse_unmeetable, unloadable
    from stratvector.runtime.chapters import newest_chapter
    from stratvector.runtime.shared_bars import refuse_other_bars

    async with reached(url, seed_file, connect_seconds) as at:
        before = await at.documents.of(wishing.key)
        wish = await wishing.make(None if before is None else before.wish)
        version = before.version if before else 0
        told: dict[str, Any] = {
            "run": wish.run,
            "portfolio": wish.portfolio,
            "version": version,
            "changes": [] if before is None else _changes(before.wish, wish),
            "new": before is None,
        }
        if looks is Look.DRY_RUN:
            begun = await refuse_unmeetable(at.bus, wish)
            await refuse_other_bars(at.bus, at.documents, wish, begun)
        standing = await newest_chapter(at.bus, wish.run, wish.portfolio)
        if looks is not None:
            return told | {"state": "unchanged", "begun": standing is not None}
        again = before is not None and bool(await unloadable(at.bus, at.owners, before.wish))
        wanted = await applied(at.bus, at.documents, wish, version, again)
        told |= {"version": wanted.version}
        deadline, wish = time.monotonic() + wait_seconds, wanted.wish
        while not _holds(standing, wish) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            standing = await newest_chapter(at.bus, wish.run, wish.portfolio)
            newest = await at.documents.of(wish.key)
            if newest is not None and not newest.wish.says_the_same(wish):
                return told | {"state": "superseded", "begun": standing is not None}
            if said := await unloadable(at.bus, at.owners, wanted.wish):
                goes_on = "and the portfolio goes on as it was"
                raise CommandFailed(f"{wish.key}: {said[0]} can't load it, {goes_on}: {said[1]}")
        return told | _outcome(standing, wish)


def _holds(standing: "Standing | None", wish: "Wish") -> bool:
    """Whether the chapter that holds has the document that is wished, but for symbols that it no
    longer names and that are sold first.
    """
    from stratvector.runtime.applying import closing_for

    if standing is None:
        return False
    return bool(standing.chapter.document == wish.document or closing_for(standing.chapter, wish))


def _outcome(standing: "Standing | None", wish: "Wish") -> dict[str, Any]:
    """What became of a wish by now."""
    from stratvector.runtime.applying import closing_for
    from stratvector.trading.timestamps import utc_text

    if standing is None or not _holds(standing, wish):
        return {"state": "wanted", "begun": standing is not None}
    closing = list(closing_for(standing.chapter, wish))
    told = {"state": "begun", "begun": True, "chapter": standing.number, "closing": closing}
    if standing.carried is not None and standing.carried.close_time:
        told |= {"state": "opened", "after": utc_text(standing.carried.close_time)}
    return told


def _changes(before: "Wish", after: "Wish") -> list[dict[str, Any]]:
    """Each value that differs: its place, what it was and what it is."""
    import json

    from stratvector.runtime.document_changes import changes

    return list(changes(json.loads(before.document), json.loads(after.document)))


def _tell(console: "Console", told: dict[str, Any]) -> None:
    name = f"{told['portfolio']} in {told['run']}"
    if told["state"] == "begun":
        console.out(f"{name}: it has begun.", highlight=False)
    elif told["state"] == "opened":
        what = f"it holds as chapter {told['chapter']}, from the close after {told['after']} on"
        last = f"; {', '.join(told['closing'])}: sold first" if told["closing"] else ""
        console.out(f"{name}: {what}{last}.", highlight=False)
    elif told["state"] == "superseded":
        console.out(f"{name}: somebody applied another document meanwhile.", highlight=False)
    elif told["state"] == "wanted":
        what = "taken it up" if told["begun"] else "begun it"
        console.out(
            f"{name}: wanted, but no risk service has {what} yet. It stays wanted.",
            highlight=False,
        )
    else:
        news = "new" if told["new"] else f"{len(told['changes'])} values would change"
        begun = "it has begun" if told["begun"] else "it has not begun"
        console.out(f"{name}: it can be applied; {news}, {begun}.", highlight=False)


def _tell_diff(console: "Console", told: dict[str, Any]) -> None:
    from stratvector.runtime.change_words import lines

    if told["new"]:
        key = f"{told['run']}.{told['portfolio']}"
        console.out(f"{key}: there is no document yet.", highlight=False)
    for line in lines(told["changes"]):
        console.out(line, highlight=False)
    if not told["new"] and not told["changes"]:
        console.out("nothing differs.", highlight=False)
