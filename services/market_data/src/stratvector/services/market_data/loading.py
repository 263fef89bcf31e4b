"""`python -m stratvector.services.market_data.loading FOLDER`: loads bars into a replay store.

The first line of its input is the description of their source, JSON as `BarsSource` writes it;
standard output gets the hash of what was loaded. One sentence on the error output and exit code 78
say why nothing could be.

It is a program of its own: what reads files and calendars takes much memory, that a service which
publishes for months need not keep. It leaves when its input ends, so none outlives market_data.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.file_modes import keep_files_private
from stratvector.services.market_data.replay_store import BadPanel, ReplayStore, StoredPanel
from stratvector.trading.portfolio import Universe

CHILD = (sys.executable, "-P", "-m", "stratvector.services.market_data.loading")
REFUSED = 78  # a person must put something right, as with a service
SHOWN_DIGITS = 8


class BarsUnavailable(CannotStart):
    """The bars that a chapter names can't be had here; the sentence says why."""


async def bars_at_hand(
    store: ReplayStore, hash: str, universe: Universe, source: Mapping[str, Any]
) -> StoredPanel:
    """The bars with a hash: from the store, else loaded from their source.

    source : what the document says of them; its `load` is None where nobody can load them again.
    Raises BarsUnavailable.
    """
    described = source["load"]
    try:
        there = store.has(hash)
    except BadPanel as error:
        raise BarsUnavailable(str(error)) from None
    if there:
        try:
            return await asyncio.to_thread(store.open, hash, universe)
        except BadPanel as error:
            if described is None:
                raise BarsUnavailable(str(error)) from None
            store.remove(hash)
    if described is None:
        raise BarsUnavailable(
            f"the bars of universe {universe.name} with hash {hash[:SHOWN_DIGITS]} are not in "
            f"{store.folder}, and their source, {source['source'] or 'memory'}, can't be read again"
        )
    what = f"the bars of universe {universe.name} from {source['source']}"
    await _load(store, hash, what, described)
    return await asyncio.to_thread(store.open, hash, universe)


async def _load(store: ReplayStore, hash: str, what: str, described: Mapping[str, Any]) -> None:
    """Have a child load them. Raises BarsUnavailable."""
    process = await asyncio.create_subprocess_exec(
        *CHILD, str(store.folder), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        code, said, complained = await _end_of(process, json.dumps(dict(described)))
    finally:
        await _left(process)
    if code:
        raise BarsUnavailable(f"{what} can't be loaded: {_why(code, complained)}")
    if (found := _last_line(said)) != hash:
        raise BarsUnavailable(
            f"{what} are not those that the log began with: their hash is {found[:SHOWN_DIGITS]} "
            f"instead of {hash[:SHOWN_DIGITS]}"
        )


async def _end_of(process: Process, line: str) -> tuple[int, bytes, bytes]:
    """Exit code and outputs; its input stays open, as its end would end it."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(line.encode() + b"\n")
    # It may have ended already, which its exit code tells.
    with suppress(ConnectionError):
        await process.stdin.drain()
    said, complained = await asyncio.gather(process.stdout.read(), process.stderr.read())
    return await process.wait(), said, complained


async def _left(process: Process) -> None:
    """Let nothing of it stay, whatever became of the waiting."""
    assert process.stdin is not None
    process.stdin.close()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _why(code: int, complained: bytes) -> str:
    if code == REFUSED:
        return _last_line(complained)
    end = f"exit code {code}" if code > 0 else signal.Signals(-code).name
    return f"the process that loads them ended with {end}: {_last_line(complained)}"


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def main(folder: Path) -> int:
    """Load and store what the line on the input describes; the exit code."""
    keep_files_private()
    line = sys.stdin.readline()
    threading.Thread(target=_leave_with_the_input, daemon=True).start()
    try:
        hash = _stored(ReplayStore(folder), line)
    except _sentences() as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return REFUSED
    sys.stdout.write(hash + "\n")
    return 0


def _stored(store: ReplayStore, line: str) -> str:
    from stratvector.market.bars_source import BarsSource

    loaded = BarsSource.from_document(json.loads(line)).load()
    return store.put(loaded.bars, loaded.open_times)


def _sentences() -> tuple[type[Exception], ...]:
    """What tells a person what to put right, and not us."""
    from stratvector.market.sources.sample import SampleUnavailable

    return (ValueError, SampleUnavailable, ImportError, OSError)


def _leave_with_the_input() -> None:
    # Not through sys.stdin, whose lock would be held while the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(REFUSED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
