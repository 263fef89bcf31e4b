"""A session that has begun on a bus, as services find it: its chapter is in the log."""

import asyncio
from pathlib import Path

from stratvector.cli.platform.run_folder import RunFolder, write_document
from stratvector.runtime.chapters import chapter_message, first_chapter
from stratvector.runtime.documents import wish_of
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.ports import Bus
from stratvector.services.market_data.replay_store import ReplayStore
from stratvector.trading.session import Session


async def begin(bus: Bus, session: Session) -> None:
    """Store its chapter, as risk does."""
    await bus.publish(chapter_message(first_chapter(session), 1), 0)


def provision_at(url: str) -> None:
    """Make the streams of a server without accounts."""
    asyncio.run(_at(url, None))


def begin_at(url: str, session: Session) -> None:
    """The same, with the session's chapter in them."""
    asyncio.run(_at(url, session))


async def _at(url: str, session: Session | None) -> None:
    client = await connect(url, None, "provisioner", 30.0)
    await provision(client)
    if session is not None:
        await begin(JetStreamBus(client), session)
    await client.close()


def session_in(folder: Path, session: Session) -> RunFolder:
    """A session's folder as `up` makes it, with the bars in market_data's store already."""
    folder.mkdir(parents=True, exist_ok=True)
    write_document(folder, wish_of(session, "tests", 0))
    fill_store(folder / "store", session)
    return RunFolder(folder)


def fill_store(folder: Path, session: Session) -> None:
    """Bars of a session that no source can load again, where market_data looks for them."""
    store = ReplayStore(folder)
    for history in session.histories.values():
        store.put(history.bars, history.open_times)
