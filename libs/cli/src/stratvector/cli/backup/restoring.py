"""restoring: an empty platform out of a backup, all of it held.

    whole? empty? ─▶ a hold of everything ─▶ fills, orders, signals ─▶ their ends cut ─▶ the rest
        ─▶ ledger, folders ─▶ chapters, documents ─▶ a hold of each portfolio, none of everything

Services find portfolios by chapters and documents, which come last; nobody sends an order before a
person has released its portfolio. Interrupted and asked again with the same backup it begins anew:
as long as everything is held, whatever is on the bus is what it has put there itself.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratvector.cli.backup import folders
from stratvector.cli.backup.ledger_proof import proven_closes
from stratvector.cli.backup.ledgers import Ledger
from stratvector.cli.backup.making import Connected, Watch
from stratvector.cli.backup.manifest import (
    BadBackup,
    Manifest,
    digest_of,
    read_manifest,
    refuse_changed,
    refuse_ledger_ahead,
    stream_file,
)
from stratvector.cli.backup.target import clear_own, refuse_full
from stratvector.cli.failures import CommandFailed

if TYPE_CHECKING:
    from stratvector.runtime.holds import Hold
    from stratvector.runtime.jetstream.connection import BusClient

PIECE_BYTES = 128 * 1024
FOUND_BY = ("CHAPTERS", "KV_documents")  # by these services find what they have to do
CUT = ("FILLS", "ORDERS", "SIGNALS")


@dataclass(frozen=True)
class Wanted:
    """backup : its folder. ledger : None where it is to fill itself from the log. folders : by
    kind. replicas : servers of a cluster that keep each message. by, at : who restores, and when,
    ns UTC. told : called with the name of each part as it begins.
    """

    backup: Path
    ledger: Ledger | None
    folders: dict[str, Path]
    replicas: int
    by: str
    at: int
    told: Callable[[str], None] = lambda _: None


async def restore_backup(wanted: Wanted, connected: Connected) -> dict[str, Any]:
    """What was restored, as it is told. Raises CommandFailed and what the parts raise."""
    watch = Watch()
    wanted.told("looking at the backup")
    manifest = read_manifest(wanted.backup)
    refuse_changed(wanted.backup, manifest)
    _refuse_unfit(wanted, manifest)
    watch.lap("backup verified")
    async with connected() as client:
        return await _Restore(wanted, manifest, client, watch).run()


def _refuse_unfit(wanted: Wanted, manifest: Manifest) -> None:
    """What a backup and the options contradict. Raises CommandFailed."""
    from stratvector.cli.backup.making import copied_streams

    if unknown := sorted(set(manifest.streams) - set(copied_streams())):
        raise BadBackup(f"{wanted.backup} holds stream {unknown[0]}, which this version has not")
    if lacking := [one for one in (*CUT, *FOUND_BY) if one not in manifest.streams]:
        raise BadBackup(f"{wanted.backup} holds no stream {lacking[0]}")
    if manifest.ledger is not None:
        refuse_ledger_ahead(manifest.ledger.records, manifest.decisions, str(wanted.backup))
        if wanted.ledger is None:
            raise CommandFailed(
                "the backup holds a ledger's database: name with --database where it goes"
            )
    elif wanted.ledger is not None:
        raise CommandFailed(
            "the backup holds no ledger's database: leave --database out, and the ledger fills an "
            "empty one from the log"
        )
    for kind, folder in wanted.folders.items():
        if kind not in manifest.folders:
            raise CommandFailed(f"the backup holds no {kind}: leave --{kind} out")
        folders.refuse_other_files(kind, wanted.backup, folder)


class _Restore:
    """One restore on one connection."""

    def __init__(
        self, wanted: Wanted, manifest: Manifest, client: "BusClient", watch: Watch
    ) -> None:
        from stratvector.runtime.holds import HOLDS, Holds
        from stratvector.runtime.jetstream.bus import JetStreamBus
        from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
        from stratvector.runtime.jetstream.topology import buckets, streams

        self._wanted, self._manifest, self._client = wanted, manifest, client
        self._watch, self._bus = watch, JetStreamBus(client)
        self._holds = Holds(JetStreamKeyValue(client, HOLDS))
        self._streams = {one.name: one for one in (*streams(), *buckets())}
        self._digest = digest_of(wanted.backup)
        self._restored: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    async def run(self) -> dict[str, Any]:
        """The steps, in their order."""
        from stratvector.runtime.holds import HOLDS
        from stratvector.runtime.jetstream.provisioner import provision
        from stratvector.runtime.jetstream.stream_copies import until_replicated

        self._wanted.told("looking at the platform")
        await refuse_full(self._client, self._digest)
        is_there = self._is_ledger_there()
        await self._hold_everything()
        await clear_own(self._client)
        self._watch.lap("platform looked at")
        decisions = await self._put_back_cut()
        await self._put_back([n for n in self._manifest.streams if n not in (*CUT, *FOUND_BY)])
        self._watch.lap("streams")
        closes = self._put_back_ledger(is_there, decisions)
        for kind, folder in self._wanted.folders.items():
            self._wanted.told(kind)
            folders.copy_out(kind, self._wanted.backup, folder)
            self._watch.lap(kind)
        await self._put_back(list(FOUND_BY))
        await self._refuse_unreadable(decisions)
        for key in {*decisions, *await self._wished()}:
            await self._holds.put(self._hold(key))
        await provision(self._client, replicas=self._wanted.replicas)
        # Any server answers who looks for a hold.
        await until_replicated(self._client, f"KV_{HOLDS}", self._wanted.replicas)
        await self._release_everything()
        self._watch.lap("chapters and documents")
        return {
            "backup": str(self._wanted.backup),
            "made_at": self._manifest.at,
            "product": self._manifest.product,
            "messages": self._restored,
            "left_out": self._dropped,
            "closes": decisions,
            "ledger_closes": closes,
            "seconds": self._watch.seconds,
        }

    def _hold(self, key: str) -> "Hold":
        from stratvector.runtime.holds import Hold

        return Hold(key, self._digest, self._manifest.at, self._wanted.at)

    async def _hold_everything(self) -> None:
        """Before there is anything that somebody could act on."""
        from stratvector.runtime.holds import EVERYTHING, HOLDS
        from stratvector.runtime.jetstream.provisioner import make_stream

        await make_stream(self._client, self._streams[f"KV_{HOLDS}"], self._wanted.replicas)
        await self._holds.put(self._hold(EVERYTHING))

    async def _wished(self) -> Collection[str]:
        """Portfolios that are wanted, of which some may not have begun."""
        from stratvector.runtime.documents import DOCUMENTS, Documents
        from stratvector.runtime.jetstream.key_value import JetStreamKeyValue

        return await Documents(JetStreamKeyValue(self._client, DOCUMENTS)).stored()

    async def _release_everything(self) -> None:
        from stratvector.runtime.holds import EVERYTHING

        await self._holds.release(EVERYTHING, self._wanted.by, self._wanted.at)

    async def _put_back_cut(self) -> dict[str, int | None]:
        """Fills, orders and signals, without what can't stand together; the newest close of each
        portfolio that is decided in what does.
        """
        from stratvector.runtime.consistent_cut import (
            chapter_of_signals,
            cut_orders,
            cut_signals,
        )
        from stratvector.runtime.jetstream.stream_copies import lanes_in, stream_state

        await self._put_back(CUT, is_open=True)
        fills, orders, signals = (self._streams[name] for name in CUT)
        state = await stream_state(self._client, fills.name)
        assert state is not None
        cuts = {}
        for lane in await lanes_in(self._client, orders):
            cut = await cut_orders(self._bus, lane, int(state["last_seq"]))
            cuts[cut.key] = cut
            await self._drop(orders.name, lane, cut.dropped)
        for lane in await lanes_in(self._client, signals):
            dropped = await cut_signals(self._bus, lane, chapter_of_signals(lane, cuts))
            await self._drop(signals.name, lane, dropped)
        await self._close(CUT)
        found = {key: cut.close_time for key, cut in cuts.items()}
        return dict.fromkeys(self._manifest.decisions) | found

    async def _drop(self, stream: str, lane: str, sequences: tuple[int, ...]) -> None:
        from stratvector.runtime.jetstream.stream_copies import remove_message

        for sequence in reversed(sequences):
            await remove_message(self._client, stream, sequence)
        if sequences:
            self._dropped[lane] = len(sequences)

    async def _put_back(self, names: "list[str] | tuple[str, ...]", is_open: bool = False) -> None:
        from stratvector.runtime.jetstream.stream_copies import put_back

        for name in names:
            self._wanted.told(name)
            pieces = _pieces(self._wanted.backup / stream_file(name))
            stream, replicas = self._streams[name], self._wanted.replicas
            state = await put_back(self._client, stream, pieces, replicas, is_open)
            self._restored[name] = int(state["messages"])
            self._refuse_short(name, int(state["last_seq"]))

    def _refuse_short(self, name: str, last: int) -> None:
        """A copy holds at least what there was when it was begun. Raises BadBackup."""
        if last < (listed := self._manifest.streams[name].last):
            raise BadBackup(
                f"{self._wanted.backup}: stream {name} ends with message {last}, and its list says "
                f"{listed}"
            )

    async def _close(self, names: tuple[str, ...]) -> None:
        from stratvector.runtime.jetstream.stream_copies import close_stream

        for name in names:
            await close_stream(self._client, self._streams[name], self._wanted.replicas)

    def _is_ledger_there(self) -> bool:
        ledger = self._manifest.ledger
        if ledger is None or self._wanted.ledger is None:
            return False
        return self._wanted.ledger.is_there_already(self._wanted.backup, ledger)

    def _put_back_ledger(self, is_there: bool, decisions: dict[str, int | None]) -> int | None:
        """How many closes of it are proven, None where there is none. Raises BadBackup."""
        ledger, target = self._manifest.ledger, self._wanted.ledger
        if ledger is None or target is None:
            return None
        self._wanted.told("ledger")
        refuse_ledger_ahead(ledger.records, decisions, str(self._wanted.backup))
        if not is_there:
            target.put_back(self._wanted.backup, ledger)
        closes = proven_closes(target.payloads())
        self._watch.lap("ledger")
        return closes

    async def _refuse_unreadable(self, decisions: dict[str, int | None]) -> None:
        """Every portfolio's newest chapter is there, as its services will look for it. Raises
        OtherChapter.
        """
        from stratvector.runtime.chapters import newest_chapter
        from stratvector.runtime.served import PortfolioRun

        for key in decisions:
            whose = PortfolioRun.parsed(key)
            await newest_chapter(self._bus, whose.run, whose.portfolio)


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            yield piece
