"""making: a backup of a platform that goes on trading.

    ledger's database ─▶ streams, in the order of `consistent_cut` ─▶ folders ─▶ list ─▶ its name

All of it is written beside, in a hidden folder, and gets its name when it is whole and on the disk.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratvector.cli.backup import folders
from stratvector.cli.backup.ledgers import Ledger
from stratvector.cli.backup.manifest import (
    LIST,
    STREAMS,
    Manifest,
    StreamCopy,
    encoded,
    facts_of,
    refuse_ledger_ahead,
    stream_file,
)
from stratvector.cli.failures import CommandFailed

if TYPE_CHECKING:
    from stratvector.runtime.jetstream.connection import BusClient
    from stratvector.runtime.ports import Bus

LOCK, DRAFT = ".lock", ".part"
TIME = r"-\d{8}T\d{6}Z"
PRODUCT = "stratvector-cli"

Connected = Callable[[], Any]  # an async context manager of a BusClient


@dataclass(frozen=True)
class Wanted:
    """What one backup is to be. to : the folder of all backups. name : how its name begins. keep :
    how many whole ones of that name stay, None for all. ledger : None where nothing was told.
    folders : by kind.
    """

    to: Path
    name: str
    keep: int | None
    ledger: Ledger | None
    folders: Mapping[str, Path]


async def make_backup(wanted: Wanted, connected: Connected) -> dict[str, Any]:
    """One whole backup, and what is told of it. Raises CommandFailed and what the parts raise."""
    begun_at, watch = time.time_ns(), Watch()
    with _alone_in(wanted.to):
        for left in _named(wanted, rf"\.{{}}{re.escape(DRAFT)}"):
            shutil.rmtree(left)
        named = f"{wanted.name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(begun_at / 1e9))}"
        if (wanted.to / named).exists():
            raise CommandFailed(f"{wanted.to / named} was made in this second: wait a second")
        draft = wanted.to / f".{named}{DRAFT}"
        draft.mkdir(mode=0o750)
        try:
            manifest = await _copied(wanted, connected, draft, begun_at, watch)
            manifest = _finish(draft, manifest)
        except BaseException:
            shutil.rmtree(draft)
            raise
        draft.rename(wanted.to / named)
        _sync(wanted.to)
        removed = _remove_older(wanted, named)
    sizes = sum(one.bytes for one in manifest.files.values())
    told = {"backup": str(wanted.to / named), "bytes": sizes, "removed": removed}
    return told | {"seconds": watch.seconds, "closes": dict(manifest.decisions)}


class Watch:
    """How long each part took. seconds : by part, in their order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, part: str) -> None:
        """A part has ended."""
        now = time.monotonic()
        self.seconds[part] = round(now - self._since, 3)
        self._since = now


async def _copied(
    wanted: Wanted, connected: Connected, draft: Path, at: int, watch: Watch
) -> Manifest:
    """Everything but the list, in its order."""
    from stratvector.runtime.jetstream.bus import JetStreamBus

    manifest = Manifest(metadata.version(PRODUCT), at, {}, {}, None, tuple(wanted.folders))
    if wanted.ledger is not None:
        manifest = replace(manifest, ledger=wanted.ledger.copy(draft))
        watch.lap("ledger")
    async with connected() as client:
        copies = {name: one async for name, one in _streams_copied(client, draft)}
        watch.lap("streams")
        bus = JetStreamBus(client)
        decisions = await _decided(client, bus, copies)
        manifest = replace(manifest, streams=copies, decisions=decisions)
        await _refuse_purged(bus, manifest)
    if manifest.ledger is not None:
        refuse_ledger_ahead(manifest.ledger.records, decisions, "nothing was backed up")
    for kind, folder in wanted.folders.items():
        folders.copy_in(kind, folder, draft)
        watch.lap(kind)
    return manifest


def copied_streams() -> tuple[str, ...]:
    """What is copied, in this order. What is said again, or folded again, is not."""
    from stratvector.runtime.consistent_cut import copying_order
    from stratvector.runtime.jetstream.topology import buckets

    return (*copying_order(), *(one.name for one in buckets() if not one.is_spare))


async def _streams_copied(
    client: "BusClient", draft: Path
) -> AsyncIterator[tuple[str, StreamCopy]]:
    from stratvector.runtime.jetstream.stream_copies import copy_stream, stream_state

    (draft / STREAMS).mkdir()
    for name in copied_streams():
        if (state := await stream_state(client, name)) is None:
            raise CommandFailed(f"the bus has no stream {name}: no platform was provisioned there")
        with (draft / stream_file(name)).open("wb") as file:
            await copy_stream(client, name, file.write)
        yield name, StreamCopy(state["first_seq"], state["last_seq"], state["messages"])


async def _decided(
    client: "BusClient", bus: "Bus", copies: Mapping[str, StreamCopy]
) -> dict[str, int | None]:
    """Of each portfolio the newest close that what was copied surely tells."""
    from stratvector.runtime.chapters import logged_chapters
    from stratvector.runtime.consistent_cut import cut_orders
    from stratvector.trading.flow import hop

    fills, orders = copies[hop("fills").stream], copies[hop("orders").stream]
    found = dict[str, int | None]()
    for stored in await logged_chapters(bus):
        key = stored.message.subject.partition(".")[2]
        lane = f"{hop('orders').noun}.{key}"
        found[key] = (await cut_orders(bus, lane, fills.last, orders.last)).close_time
    return found


async def _refuse_purged(bus: "Bus", manifest: Manifest) -> None:
    """A log whose beginning is purged needs a ledger that reaches it. Raises CommandFailed."""
    from stratvector.runtime.chapters import oldest_readable
    from stratvector.runtime.served import PortfolioRun

    records = {} if manifest.ledger is None else manifest.ledger.records
    for key in manifest.decisions:
        whose = PortfolioRun.parsed(key)
        oldest = await oldest_readable(bus, whose.run, whose.portfolio)
        if oldest is None or oldest.carried is None:
            continue
        if records.get(key, 0) <= oldest.carried.close_time:
            advice = "name it with --database" if manifest.ledger is None else "run it again"
            raise CommandFailed(
                f"the log of {key} begins with chapter {oldest.number}, and a ledger that reaches "
                f"it is not in this backup: {advice}"
            )


def _finish(draft: Path, manifest: Manifest) -> Manifest:
    """The list last, and all of it on the disk."""
    whole = replace(manifest, files=facts_of(draft))
    for name in whole.files:
        _sync(draft / name)
    (draft / LIST).write_bytes(encoded(whole))
    _sync(draft / LIST)
    for folder in (*(one for one in draft.rglob("*") if one.is_dir()), draft):
        _sync(folder)
    return whole


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _named(wanted: Wanted, form: str) -> list[Path]:
    """What is in the folder of all backups under this name and a time, by their times: names that
    only begin alike are others'. form : of the whole file name, `{}` in the place of both.
    """
    names = re.compile(form.format(re.escape(wanted.name) + TIME))
    return sorted(one for one in wanted.to.iterdir() if names.fullmatch(one.name))


def _remove_older(wanted: Wanted, made: str) -> list[str]:
    """Whole backups beyond those that stay, oldest first; each loses its name before its files.
    made : the one that was made now, which stays whatever the clock says.
    """
    if wanted.keep is None:
        return []
    whole = [one for one in _named(wanted, "{}") if (one / LIST).exists() and one.name != made]
    older = whole[: len(whole) - wanted.keep + 1]
    for one in older:
        gone = one.rename(one.with_name(f".{one.name}{DRAFT}"))
        shutil.rmtree(gone)
    return [one.name for one in older]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One backup at a time in a folder. Raises CommandFailed."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(f"another backup is being written to {folder}") from None
        yield
