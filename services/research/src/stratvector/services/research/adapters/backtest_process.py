"""backtest_process: `stratvector backtest run` in a process group of its own, until it ends.

It steps back when processors are short, dies with the service (`bound.py`), and is ended with all
that it started when it takes too long or when the service stops.

It is started by `subprocess`, not by the event loop: uvloop forks and runs handlers of gRPC in the
child, which die of it now and then (SIGSEGV) while other threads are inside gRPC; `subprocess`
uses vfork, which runs none.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from stratvector.cli.platform import bound
from stratvector.services.research.adapters.job_log import JobLog
from stratvector.services.research.job import BacktestRequest

NICENESS = 10
LINE_BYTES_MAX = 1 << 16
LAST_OUTPUT_SECONDS = 1.0
LOOK_SECONDS = 0.05
ENDED_SECONDS_MAX = 5.0


class BacktestFailed(RuntimeError):
    """A backtest that ended without a result; the message is one sentence."""


async def run_backtest(
    request: BacktestRequest, config: Path, out: Path, log: JobLog, seconds_max: float
) -> None:
    """Run a backtest whose result goes below `out`. Raises BacktestFailed, OSError.

    Cancelled or not, no process of it is left when this returns.
    """
    process = _started(backtest_command(request, config, out))
    try:
        async with _read(process, log):
            await _wait(process, seconds_max)
    finally:
        _end(process)
    if process.returncode != 0:
        raise BacktestFailed(_sentence(process.returncode, log.last_words))


def backtest_command(request: BacktestRequest, config: Path, out: Path) -> list[str]:
    """The command line of a backtest."""
    asked = {"config": str(config), "start": request.start, "end": request.end, "out": str(out)}
    options = [f"--{name}={value}" for name, value in asked.items() if value]
    module = [sys.executable, "-P", "-m", "stratvector.cli", "backtest", "run"]
    return [*module, *options, "--progress=json"]


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    bind = (sys.executable, "-IS", bound.__file__, str(os.getpid()), str(NICENESS))
    return subprocess.Popen(
        [*bind, *command],
        bufsize=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"},
        start_new_session=True,
    )


async def _wait(process: subprocess.Popen[bytes], seconds_max: float) -> None:
    """Until it has ended, by itself or not."""
    try:
        async with asyncio.timeout(seconds_max):
            while process.poll() is None:
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        rule = f"job_seconds_max is {seconds_max:g}"
        raise BacktestFailed(f"the backtest took too long and was ended: {rule}") from None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group; returns when the process is gone."""
    if process.poll() is None:
        # Its number can't be another's: it is not reaped yet.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(ENDED_SECONDS_MAX)


@asynccontextmanager
async def _read(process: subprocess.Popen[bytes], log: JobLog) -> AsyncIterator[None]:
    """What the process says goes to the log, to the last line."""
    assert process.stdout is not None
    reader = asyncio.StreamReader(LINE_BYTES_MAX)
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), process.stdout
    )
    reading = asyncio.create_task(_keep_output(reader, log), name="output of a backtest")
    try:
        yield
    finally:
        # A grandchild may hold the pipe open; what it says later is nobody's log.
        await asyncio.wait([reading], timeout=LAST_OUTPUT_SECONDS)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        pipe.close()


async def _keep_output(reader: asyncio.StreamReader, log: JobLog) -> None:
    while not reader.at_eof():
        try:
            line = await reader.readline()
        except ValueError:
            line = b"(a line that is too long was left out)\n"
        log.add(line)


def _sentence(code: int, last_words: str) -> str:
    if code < 0:
        return f"the backtest's process was ended by {signal.Signals(-code).name}"
    if not last_words:
        return f"the backtest's process ended with exit code {code} and said nothing"
    return last_words
