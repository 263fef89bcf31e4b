"""`stratvector archive`: the closed chapters of a portfolio into files, then the log without them.

    closed chapters ─▶ files ─▶ parity on the files alone ─▶ what the ledger has committed ─▶ purge

It connects as the provisioner, who alone may purge. Asked again, it goes on where it was, and what
is done already stays as it is.
"""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratvector.cli.bus_access import (
    DEFAULT_URL,
    Connect,
    ProvisionerSeedFile,
    Url,
    provisioner,
)
from stratvector.cli.failures import CommandFailed, guarded
from stratvector.cli.ledger import ADDRESS, Address
from stratvector.cli.outputs import AsJson, check_outputs, emit
from stratvector.cli.platform_options import OwnStrategies
from stratvector.cli.portfolios import Key

if TYPE_CHECKING:
    from rich.console import Console

    from stratvector.runtime.archive import Archive, ArchiveList
    from stratvector.runtime.chapters import Standing
    from stratvector.runtime.jetstream.connection import BusClient
    from stratvector.trading.portfolio import Portfolio

ASK_SECONDS = 20.0


@guarded
def archive_command(
    key: Key,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="The archive of this portfolio.")
    ],
    keep_chapters: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Closed chapters that stay in the log."),
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
    ] = False,
    no_purge: Annotated[
        bool, typer.Option("--no-purge", help="Write and prove the files, and leave the log.")
    ] = False,
    nats_url: Url = DEFAULT_URL,
    seed_file: ProvisionerSeedFile = None,
    connect: Connect = 10.0,
    address: Address = ADDRESS,
    own_strategies: OwnStrategies = False,
    json: AsJson = None,
) -> None:
    """Write closed chapters to a folder, prove them there, and purge them from the log.

    The seed is the provisioner's. The log is purged only up to where the ledger has committed it.
    """
    from stratvector.runtime.document_code import permit

    check_outputs(json)
    permit(own_strategies)
    asked = _Asked(key, to, keep_chapters, dry_run, no_purge, address)
    document = asyncio.run(asked.at(nats_url, seed_file, connect))
    emit(json, document, _tell, document)


class _Asked:
    """One call of the command."""

    def __init__(
        self, key: str, folder: Path, keep: int, dry_run: bool, no_purge: bool, address: str
    ) -> None:
        self.key, self.folder, self.keep = key, folder, keep
        self.dry_run, self.no_purge, self.address = dry_run, no_purge, address

    async def at(self, url: str, seed_file: Path | None, wait_seconds: float) -> dict[str, Any]:
        """What was done. Raises CommandFailed and what the parts raise."""
        from stratvector.runtime.archive import Archive
        from stratvector.runtime.archived_log import archive_chapters
        from stratvector.runtime.jetstream.bus import JetStreamBus

        async with provisioner(url, seed_file, wait_seconds, "archive") as client:
            bus = JetStreamBus(client)
            opened = await self._opened(bus)
            run, portfolio = opened[-1].chapter.run, opened[-1].chapter.portfolio
            archive = Archive(self.folder)
            listed = archive.opened(run, portfolio, opened[0].id)
            told: dict[str, Any] = {"key": self.key, "folder": str(self.folder)}
            if self.dry_run:
                lacking = range(len(listed.chapters) + 1, len(opened))
                kept = await self._kept(bus, opened[-1].portfolio, len(opened) - 1)
                begins = None if kept is None else kept.number
                return told | {"would_archive": list(lacking), "log_would_begin_with": begins}
            if listed.chapters:
                archive.verify()
            listed, written = await archive_chapters(bus, archive, run, portfolio)
            told |= {"archived": written, "chapters": len(listed.chapters)}
            if listed.chapters:
                listed = await _proven(bus, archive, listed)
                told["proven"] = listed.closes
            if self.no_purge or not listed.chapters:
                return told
            return told | await self._purge(client, opened[-1].portfolio, listed)

    async def _opened(self, bus: Any) -> "list[Standing]":
        from stratvector.runtime.chapters import logged_chapters, opened_chapters
        from stratvector.runtime.served import PortfolioRun
        from stratvector.trading.nearest import suggestion

        subjects = [one.message.subject for one in await logged_chapters(bus)]
        known = [subject.partition(".")[2] for subject in subjects]
        if self.key not in known:
            near = suggestion(self.key, known) if known else "the log has none"
            raise CommandFailed(f"there is no portfolio {self.key!r} in the log; {near}")
        whose = PortfolioRun.parsed(self.key)
        return await opened_chapters(bus, whose.run, whose.portfolio)

    async def _kept(self, bus: Any, portfolio: "Portfolio", archived: int) -> "Standing | None":
        """The chapter that the log may begin with. Raises CommandFailed without the ledger."""
        from stratvector.runtime.purging import kept_chapter

        committed = await self._committed(portfolio)
        run, name = portfolio.run, portfolio.name
        return await kept_chapter(bus, run, name, committed, self.keep, archived)

    async def _committed(self, portfolio: "Portfolio") -> int | None:
        from stratvector.runtime.ledger_client import LedgerClient
        from stratvector.runtime.peer import Peer, PeerError
        from stratvector.runtime.served import PortfolioRun

        async with Peer("ledger", self.address, ASK_SECONDS) as peer:
            try:
                status = await LedgerClient(peer, PortfolioRun.of(portfolio)).status()
            except PeerError as error:
                raise CommandFailed(
                    f"nothing is purged: {error}; what the ledger at {self.address} has committed "
                    "decides how far (--no-purge archives alone)"
                ) from None
        return status.last_close

    async def _purge(
        self, client: "BusClient", portfolio: "Portfolio", listed: "ArchiveList"
    ) -> dict[str, Any]:
        from stratvector.runtime.jetstream.bus import JetStreamBus
        from stratvector.runtime.jetstream.provisioner import purge
        from stratvector.runtime.purging import purge_log
        from stratvector.trading.lanes import positions_lane

        bus = JetStreamBus(client)
        kept = await self._kept(bus, portfolio, len(listed.chapters))
        if kept is None:
            return {"log_begins_with": None, "purged": {}}
        lane = positions_lane(portfolio)
        positions = {lane: listed.chapters[kept.number - 2].read[lane]}
        purged = await purge_log(bus, partial(purge, client), kept, portfolio, positions)
        return {"log_begins_with": kept.number, "purged": purged}


async def _proven(bus: Any, archive: "Archive", listed: "ArchiveList") -> "ArchiveList":
    """Parity on the files that are not proven yet, each noted when it is; the list then. Raises
    CommandFailed, BadArchive.
    """
    from stratvector.cli.chapter_parity import examined_chapter
    from stratvector.cli.parity import verdict
    from stratvector.cli.progress import session_progress
    from stratvector.runtime.chapter_windows import chapter_windows

    archive.verify()
    whose = listed.run, listed.portfolio
    windows = chapter_windows(bus, *whose, archive, listed.proven)
    with session_progress(None, "parity", []) as progress:
        while listed.proven < len(listed.chapters):
            found = await examined_chapter(await anext(windows))
            if not found.parity.is_equal:
                said = verdict(found.parity)
                raise CommandFailed(f"nothing is purged: parity on {archive.folder} says {said}")
            found.refuse_gap(archive.folder)
            listed = archive.prove(listed, found.parity.closes)
            progress(listed.closes, 0, listed.chapters[listed.proven - 1].until)
    return listed


def _tell(console: "Console", told: dict[str, Any]) -> None:
    key = told["key"]
    if "would_archive" in told:
        lacking = ", ".join(map(str, told["would_archive"])) or "none"
        console.out(f"{key}: chapters that would be archived: {lacking}.", highlight=False)
        begins = told["log_would_begin_with"]
        rest = "stays whole" if begins is None else f"would begin with chapter {begins}"
        console.out(f"{key}: the log {rest}.", highlight=False)
        return
    written = ", ".join(map(str, told["archived"])) or "none is new"
    proven = f", {told['proven']:,} closes proven" if "proven" in told else ""
    console.out(
        f"{key}: {told['chapters']} chapters in {told['folder']} ({written}){proven}.",
        highlight=False,
    )
    if told.get("log_begins_with"):
        count = sum(told["purged"].values())
        console.out(
            f"{key}: {count:,} messages purged; the log begins with chapter "
            f"{told['log_begins_with']}.",
            highlight=False,
        )
