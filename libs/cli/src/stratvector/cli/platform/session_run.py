"""session_run: one session through the services as processes, from start to results."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from rich.text import Text

from stratvector.backtest import Result
from stratvector.cli.console import aside
from stratvector.cli.failures import CommandFailed, Interrupted
from stratvector.cli.logs import logs_of
from stratvector.cli.platform.bus import client_logs
from stratvector.cli.platform.commands import find_monte_carlo
from stratvector.cli.platform.companion_figures import companion_figures
from stratvector.cli.platform.interrupts import first_and_second
from stratvector.cli.platform.ledgers import ledgers_of
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.ports import PortPlan, plan_ports
from stratvector.cli.platform.replicas import parse_replicas, seat_names
from stratvector.cli.platform.run_folder import RunFolder
from stratvector.cli.platform.session_watch import (
    SessionHalted,
    until_committed,
    until_ready,
    until_started,
)
from stratvector.cli.platform.settings_files import refuse_given_variables
from stratvector.cli.progress import session_progress
from stratvector.cli.runs import Run, finished_run, not_written
from stratvector.cli.told import told
from stratvector.contracts.codecs import encode_ledger_entry
from stratvector.runtime.deployment import installed_services
from stratvector.runtime.document_code import permit
from stratvector.runtime.jetstream.server import find_binary
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.chapters import FIRST
from stratvector.trading.closing import with_models
from stratvector.trading.identity import chained_hash
from stratvector.trading.ledger import positions_of
from stratvector.trading.ledger_answers import LedgerStatus
from stratvector.trading.ledger_verification import Verification
from stratvector.trading.logged import SessionLog
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.roles import Role

READY_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class Wishes:
    """How a session is run.

    once : end with the session, else stay until Ctrl-C. verbose : tell every order and fill, and
    let the services log everything. closes_per_s_max : how fast a replay may go, None as it can.
    """

    replicas: Mapping[str, int]
    ports: PortPlan
    once: bool
    verbose: bool
    closes_per_s_max: float | None = None

    def settings(self) -> dict[str, dict[str, float]]:
        """What services are told of them."""
        if self.closes_per_s_max is None:
            return {}
        return {"market_data": {"closes_per_s_max": self.closes_per_s_max}}


def wishes_of(
    replicas: str | None,
    base_port: int | None,
    nats_port: int | None,
    console_port: int | None,
    monitor_port: int | None,
    speed: float | None,
    once: bool,
    verbose: bool,
) -> Wishes:
    """Wishes that can be met here now. Raises CommandFailed, ServiceMissing or NatsServerError."""
    installed_services()
    find_binary()
    find_monte_carlo()
    counts = parse_replicas(replicas)
    refuse_given_variables(counts, os.environ)
    plan = plan_ports(seat_names(counts), base_port, nats_port, console_port, monitor_port)
    return Wishes(counts, plan, once, verbose, speed)


class ResultsDiffer(CommandFailed):
    """The log and the ledger's database tell different stories."""

    def __init__(self, what: str, log: object, ledger: object) -> None:
        super().__init__(
            f"the log's {what} is {log}, but the ledger's is {ledger}; no results were written"
        )


def run_session(run: RunFolder, wishes: Wishes, show: Callable[[Run], None]) -> None:
    """Run to the end and show; ends when nothing that was started is left.

    Raises Interrupted, SessionHalted, ChildFailed, ResultsDiffer and what starting raises.
    """
    with run.held(), client_logs(logs_of(run.folder.parent)):
        asyncio.run(_run(run, wishes, show))


async def _run(run: RunFolder, wishes: Wishes, show: Callable[[Run], None]) -> None:
    async with supervised(run, wishes) as (platform, asked):
        try:
            finished = await unless_asked(asked, platform, _work(platform, run, wishes))
            if finished is None:
                raise Interrupted(
                    f"interrupted before the end; `stratvector up --session {run.session_folder}` "
                    "continues this session"
                )
            show(finished)
            if not wishes.once:
                remark(_done(platform))
                await unless_asked(asked, platform, asyncio.Event().wait())
        except SessionHalted as halted:
            if wishes.once:
                raise
            remark(f"{halted}; the other services stay up until Ctrl-C.")
            await unless_asked(asked, platform, asyncio.Event().wait())
            raise


@asynccontextmanager
async def supervised(
    run: RunFolder, wishes: Wishes
) -> AsyncIterator[tuple[Platform, asyncio.Event]]:
    """A run's platform, not yet started, and what Ctrl-C sets; drained at the end of the block."""
    permit()  # what the run's document brings, this user has applied
    logs = logs_of(run.folder.parent)
    platform = Platform(
        run.session_folder,
        run.wish,
        seat_names(wishes.replicas),
        wishes.ports,
        remark,
        wishes.verbose,
        logs,
        wished=wishes.settings(),
    )
    remark(f"Session {run.session_folder}, NATS on {platform.bus.url}, what each says in {logs}/.")
    for title, address in platform.ports.pages():
        remark(f"{title}: {address}")
    with first_and_second(platform.kill) as asked:
        try:
            yield platform, asked
        finally:
            if asked.is_set():
                remark("Stopping every service; Ctrl-C again ends them at once.")
            for name in await platform.drain():
                remark(f"{name} did not stop in time and was killed.")


async def unless_asked(
    asked: asyncio.Event, platform: Platform, work: Coroutine[Any, Any, Any]
) -> Any:
    """The work's result, or None if Ctrl-C came first. Raises ChildFailed and what work raises."""
    tasks = [
        asyncio.create_task(work),
        asyncio.create_task(platform.failed()),
        asyncio.create_task(asked.wait()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        worked, failed, _ = tasks
        if worked.done():
            return worked.result()
        if failed.done():
            failed.result()
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work(platform: Platform, run: RunFolder, wishes: Wishes) -> Run:
    session = run.session
    began_at = time.perf_counter()
    ready = asyncio.create_task(tell_ready(platform, began_at))
    with session_progress(session.closes, "session") as progress:
        starting = asyncio.create_task(until_started(platform, progress.wait_for))
        try:
            await platform.start()
            status = await until_committed(platform, session, progress)
            seconds = time.perf_counter() - began_at
            await ready
        finally:
            for task in (starting, ready):
                task.cancel()
            await asyncio.gather(starting, ready, return_exceptions=True)
    logged, log = await platform.bus.read(session.portfolio.name, session.portfolio.run)
    refuse_differences(log, status)
    async with ledgers_of(platform.ports, PortfolioRun.of(session.portfolio)) as ledgers:
        verification = await ledgers.verify()
    refuse_damage(log, verification)
    remark(f"Ledger {verification.sentence()}.")
    if wishes.verbose:
        of = {FIRST: session.portfolio} | {one.noun.number: one.portfolio for one in log.chapters}
        for entry in log.entries:
            for line in told(entry, of[entry.decision.chapter]):
                remark(line)
    finished = await asyncio.to_thread(_recorded, run, logged, log, seconds)
    beside = await companion_figures(platform.ports, logged, log)
    return replace(finished, document=finished.document | beside.document())


async def tell_ready(platform: Platform, began_at: float) -> None:
    """Say when every service is ready, or which are not in time: the session needs not all."""
    if late := await until_ready(platform, READY_SECONDS_MAX):
        remark(f"{late}; the session goes on.")
        return
    count = len(platform.ports.seats)
    remark(f"{count} services ready after {time.perf_counter() - began_at:.1f} s.")


def _done(platform: Platform) -> str:
    console = platform.ports.console_url
    place = f"; the console stays at {console}" if console else ""
    return f"The session is done{place} until Ctrl-C (--once leaves by itself)."


def _recorded(run: RunFolder, session: LoggedSession, log: SessionLog, seconds: float) -> Run:
    result = changing_result(session, log)
    try:
        run.write(result)
        failure = None
    except OSError as error:
        again = f"`stratvector up --session {run.session_folder}` tries again"
        failure = f"{not_written(run.folder, error)}; {again}"
    return finished_run(run.folder, result, run.facts(), seconds, failure)


def changing_result(session: LoggedSession, log: SessionLog) -> Result:
    """The result of a run whose chapters may have other limits, models and symbols: every close is
    told with the models of the newest chapter, which has each that there ever was, and over all
    symbols, those that have gone last.
    """
    whole = session.whole(log)
    if not log.chapters:
        return Result.of_ledger(whole, log.entries, log.bars, log.signals)
    newest = log.chapters[-1]
    strategies = {**whole.strategies, **newest.strategies()}
    names = newest.portfolio.model_names
    portfolio = _over(whole.portfolio.universes, newest.portfolio)
    return Result.of_ledger(
        replace(whole, portfolio=portfolio, strategies=strategies),
        tuple(with_models(entry, names) for entry in log.entries),
        log.bars,
        log.signals,
        {FIRST: session.portfolio.limits}
        | {one.noun.number: one.portfolio.limits for one in log.chapters},
    )


def _over(universes: Sequence[Universe], newest: Portfolio) -> Portfolio:
    """A portfolio over all universes that there ever were; a model of one that never closed trades
    none.
    """
    there = {universe.name for universe in universes}
    models = tuple(
        one if one.universe in there else replace(one, universe="", role=_removed(one.role))
        for one in newest.models
    )
    return replace(newest, universes=tuple(universes), models=models)


def _removed(role: Role) -> Role:
    return Role.CLOSING if role is Role.ACTIVE else role


def refuse_differences(log: SessionLog, status: LedgerStatus) -> None:
    """Hold the log against the ledger's database. Raises ResultsDiffer or CommandFailed."""
    if log.halts:
        halt = log.halts[0]
        raise CommandFailed(f"{halt.lane} holds what no reader takes: {halt.why}")
    last = positions_of(log.entries[-1], 0)
    for what, ours, theirs in (
        ("number of closes", len(log.entries), status.closes),
        ("last close", last.close_time, status.last_close),
        ("final equity", last.equity, status.equity),
        ("final cash", last.cash, status.cash),
        # Of a stopped portfolio the log has signals beyond its last close.
        ("number of signals", sum(len(one.signals) for one in log.closes), status.signals),
        ("number of orders", sum(len(e.decision.orders) for e in log.entries), status.orders),
    ):
        if ours != theirs:
            raise ResultsDiffer(what, ours, theirs)


def refuse_damage(log: SessionLog, verification: Verification) -> None:
    """The ledger's database as it was recorded, and its chain as the log gives it.

    Raises ResultsDiffer or CommandFailed.
    """
    if not verification.passed:
        raise CommandFailed(f"the ledger's database is {verification.sentence()}")
    last, chain = log.entries[-1], ""
    for entry in log.entries:
        chain = chained_hash(chain, last.portfolio, entry.close_time, encode_ledger_entry(entry))
    heads = {(one.portfolio, one.run): one.chain_hash for one in verification.records}
    if (head := heads.get((last.portfolio, last.run))) != chain:
        raise ResultsDiffer("chain of closes", chain, head)


def remark(line: str) -> None:
    """A line beside the result, above a progress bar that is shown; nothing where nobody reads."""
    # A terminal that was closed must not keep a drain from its work.
    with suppress(OSError):
        aside().print(Text(line), soft_wrap=True)
