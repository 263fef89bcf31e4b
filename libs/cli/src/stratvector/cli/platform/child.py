"""child: one process that is kept running until it is told to stop.

It has a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone, and dies with
the supervisor (`bound.py`).
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from stratvector.cli.failures import CommandFailed
from stratvector.cli.logs import FOLDER
from stratvector.cli.platform.child_log import ChildLog
from stratvector.cli.platform.restarts import REFUSED, WELL_SECONDS, Restarts

BOUND = Path(__file__).with_name("bound.py")
LINE_BYTES_MAX = 1 << 20
LAST_OUTPUT_SECONDS = 1.0


class ChildFailed(CommandFailed):
    """A child is not started any more; `words` are the last that it said."""

    def __init__(self, name: str, code: int, words: str, log: Path) -> None:
        self.name, self.code, self.words = name, code, words
        if code == REFUSED:
            self.exit_code = REFUSED
        said = f": {words.rstrip('.')}" if words else ""
        super().__init__(f"{name} can't run (exit code {code}){said}; its log is {log}")


class Child:
    """A process under supervision; used by the coroutines of one event loop.

    told : takes a sentence for each end that was not asked for. niceness : how far it steps back
    when processors are short. starts : how often it was started. ran_well : whether one of them
    lasted for `WELL_SECONDS`, so that it is no wrong setting that ends it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        told: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
        logs: Path = FOLDER,
        niceness: int = 0,
    ) -> None:
        self.name = name
        self._niceness = niceness
        self.starts = 0
        self.ran_well = False
        self._command = tuple(command)
        own = {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}  # for what a child starts, too
        self._environment = dict(os.environ) | own | dict(environment or {})
        self._told = told
        self._log = ChildLog(name, logs)
        self._restarts = Restarts()
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process, if there is one."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def keep(self) -> None:
        """Run and start again until `stop` or `kill`. Raises ChildFailed, OSError."""
        try:
            while not self._stop.is_set():
                began_at = time.monotonic()
                code = await self._run()
                self.ran_well |= time.monotonic() - began_at >= WELL_SECONDS
                if not self._stop.is_set():
                    await self._rest(code, time.monotonic() - began_at)
        finally:
            self.kill()
            self._log.close()
            self._ended.set()

    async def stop(self, grace_seconds: float) -> bool:
        """Ask it to end, and kill it after the grace; whether it ended by itself. `keep` ends."""
        self._stop.set()
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._ended.wait(), grace_seconds)
        except TimeoutError:
            self.kill()
            await self._ended.wait()
            return False
        return True

    def kill(self) -> None:
        """End it now, with whatever it started."""
        self._stop.set()
        self._signal(signal.SIGKILL)

    async def _run(self) -> int:
        """From start to end; the exit code, negative for a signal."""
        self._log.forget()
        bound = (sys.executable, "-IS", str(BOUND), str(os.getpid()), str(self._niceness))
        self._process = process = await asyncio.create_subprocess_exec(
            *bound,
            *self._command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=self._environment,
            start_new_session=True,
            limit=LINE_BYTES_MAX,
        )
        self.starts += 1
        output = asyncio.create_task(self._keep_output(process))
        try:
            if self._stop.is_set():
                self._signal(signal.SIGTERM)
            return await process.wait()
        finally:
            # A grandchild may hold the pipe open; what it says later is nobody's log.
            await asyncio.wait([output], timeout=LAST_OUTPUT_SECONDS)
            output.cancel()
            with suppress(asyncio.CancelledError):
                await output

    async def _keep_output(self, process: Process) -> None:
        assert process.stdout is not None
        while not process.stdout.at_eof():
            try:
                self._log.write(await process.stdout.readline())
            except ValueError:
                self._log.write(b"(a line of more than a megabyte was left out)")

    async def _rest(self, code: int, ran_seconds: float) -> None:
        wait_seconds = self._restarts.wait_seconds(code, ran_seconds)
        if wait_seconds is None:
            raise ChildFailed(self.name, code, self._log.last_words, self._log.path)
        why = f" ({error.rstrip('.')})" if code > 0 and (error := self._log.last_error) else ""
        self._told(f"{self.name} {_end(code)}{why}; it starts again in {wait_seconds:g} s.")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), wait_seconds)

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group while its leader is not reaped, so that the number can't be
        another's.
        """
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)


def _end(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
