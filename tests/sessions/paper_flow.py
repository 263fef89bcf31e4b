"""A paper run through the services as processes, over the loopback exchange as another process."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from stratvector.cli.paper_wish import paper_wish
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.ports import plan_ports
from stratvector.cli.platform.replicas import seat_names
from stratvector.config import read_configuration
from stratvector.contracts.codecs import decode_decision, decode_owner
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Kind
from stratvector.trading.flow import SERVICES
from stratvector.trading.lanes import orders_lane
from stratvector.trading.logged import SessionLog
from stratvector.trading.timestamps import utc_text
from tests.exchange.faults import Fault
from tests.exchange.prices import NANOSECONDS_PER_SECOND

ROOT = Path(__file__).parents[2]
LEASE_SECONDS, LOOK_SECONDS = 2.0, 0.5
PATIENT_SECONDS = 600.0  # in which even a busy machine's strategy is started again
PATIENT_DEADLINES = 1_000.0  # the same of market_data, by its universes' deadlines

SYSTEM = """
system: {{mode: paper, portfolio: paper, account: simulated, backtest_initial_nav: 50000.00}}
clock: {{origin: "{origin}", at: "{at}", rate: {rate}}}
models:
  - {{name: EquityTrendModel_v1, version: "1.0.0", status: paper, budget_fraction: 0.5}}
  - {{name: CryptoMomentumModel_v1, version: "1.0.0", status: paper, budget_fraction: 0.5}}
risk: {{per_asset_cap: 0.60, rebalance_band: 0.01}}
"""
MODELS = """
models:
  EquityTrendModel_v1:
    universe: minutes
    parameters: {slow_ma_period: 5, momentum_lookback_days: 1, exit_ma_period: 3}
  CryptoMomentumModel_v1:
    universe: hours
    asset_classes: [crypto]
    parameters: {short_lookback: 1, long_lookback: 2, rebalance_days: 1}
"""
UNIVERSES = """
universes:
  minutes:
    symbols: [BTC-USDT, ETH-USDT]
    asset_class: crypto
    assets: {{BTC-USDT: BTC, ETH-USDT: ETH}}
    timeframe: 1M
    calendar: 24/7
    source: "ccxt:{venue}"
    deadline_seconds: 40
    venue_urls: {urls}
  hours:
    symbols: [SOL-USDT]
    asset_class: crypto
    assets: {{SOL-USDT: SOL}}
    timeframe: 4H
    calendar: 24/7
    source: "ccxt:{venue}"
    deadline_seconds: 60
    venue_urls: {urls}
"""


class Exchange:
    """The loopback exchange of a run. port : on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port

    def live(self, now: int, rate: float) -> None:
        """From now on it is `now` there (UTC ns), running on at a rate."""
        self._put("clock", {"now": now, "rate": rate})

    def fail(self, faults: Sequence[Fault]) -> None:
        """These faults and no others."""
        self._put("faults", [fault.to_json() for fault in faults])

    def urls(self) -> dict[str, Any]:
        """What stands in place of ccxt's addresses of Binance."""
        root = f"127.0.0.1:{self.port}"
        return {"public": f"http://{root}/api/v3", "ws": {"spot": f"ws://{root}/ws"}}

    def _put(self, what: str, value: Any) -> None:
        body = json.dumps(value).encode()
        url = f"http://127.0.0.1:{self.port}/control/{what}"
        request = Request(url, body, {"Content-Type": "application/json"}, method="PUT")
        with urlopen(request, timeout=10) as answer:
            assert answer.status == 200


@contextmanager
def exchange() -> Iterator[Exchange]:
    """`python -m tests.exchange` for the time of a block."""
    command = [sys.executable, "-m", "tests.exchange", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Exchange(int(process.stdout.readline()))
        finally:
            process.terminate()


@dataclass
class PaperRun:
    """A run under way, and how it looks from outside. told : what the supervisor said."""

    platform: Platform
    exchange: Exchange
    folder: Path
    origin: int
    at: int
    rate: float
    told: list[str] = field(default_factory=list)

    def now(self) -> int:
        """The run's UTC, ns."""
        return self.origin + round((time.time_ns() - self.at) * self.rate)

    async def log(self) -> tuple[LoggedSession, SessionLog]:
        """What is complete now."""
        return await self.platform.bus.read()

    async def decided(self) -> int:
        """The newest close that is decided, ns UTC; 0 before the first."""
        lane = orders_lane(self.platform.wish.session().portfolio)
        async with self.platform.bus.reading() as bus:
            last = await bus.last(lane)
        if last is None or last.message.kind is not Kind.CONTENT:
            return 0
        return decode_decision(last.message.payload).close_time

    async def owner(self, lane: str) -> int:
        """The process that wrote the newest owner's mark of a lane, 0 before any: its instance is
        named <service>-<host>-<pid>-<random>.
        """
        async with self.platform.bus.reading() as bus:
            stored = await bus.last(lane)
            while stored is not None and stored.message.kind is not Kind.OWNER:
                page = await bus.read(lane, stored.previous - 1, 1) if stored.previous else ()
                stored = page[0] if page else None
        if stored is None:
            return 0
        return int(decode_owner(stored.message.payload).instance.split("-")[-2])

    async def until(self, close_time: int) -> int:
        """Wait until a close is decided; the newest one then."""
        while (newest := await self.decided()) < close_time:
            await asyncio.sleep(LOOK_SECONDS)
        return newest

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of market_data about an event, in their order."""
        lines = (self.folder / "logs" / "market_data.log").read_text().splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in told if line.get("event") == event]


Play = Callable[[PaperRun], Awaitable[None]]


def configure(
    folder: Path, urls: dict[str, Any], origin: int, at: int, rate: float, venue: str = "binance"
) -> Path:
    """A folder with a paper configuration; its system.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    system = SYSTEM.format(origin=utc_text(origin), at=utc_text(at), rate=rate)
    (folder / "system.yaml").write_text(system)
    (folder / "models.yaml").write_text(MODELS)
    universes = UNIVERSES.format(venue=venue, urls=json.dumps(urls))
    (folder / "universes.yaml").write_text(universes)
    return folder / "system.yaml"


def run_paper_processes(
    folder: Path,
    origin: int,
    rate: float,
    play: Play,
    signals_deadline_seconds: float = PATIENT_SECONDS,
    absent_after_deadlines: float = PATIENT_DEADLINES,
    replicas: Mapping[str, int] | None = None,
    settings: Mapping[str, str] | None = None,
    edit: Callable[[Path], None] = lambda config: None,
) -> None:
    """Start exchange, bus and services at the run's UTC `origin` (ns), play, and drain. replicas :
    processes of a service, 1 where nothing is said. settings : further environment variables.
    edit : changes what is in the configuration's folder before it is applied.
    """
    given = {"STRATVECTOR_RISK_SIGNALS_DEADLINE_SECONDS": str(signals_deadline_seconds)}
    given["STRATVECTOR_EXECUTION_ABSENT_AFTER_DEADLINES"] = str(absent_after_deadlines)
    given |= {f"STRATVECTOR_{s.upper()}_LEASE_SECONDS": str(LEASE_SECONDS) for s in SERVICES}
    before = dict(os.environ)
    os.environ.update(given | dict(settings or {}))
    try:
        with exchange() as venue:
            counts = dict.fromkeys(SERVICES, 1) | dict(replicas or {})
            asyncio.run(_run(folder, venue, origin, rate, play, counts, edit))
    finally:
        os.environ.clear()
        os.environ.update(before)


async def _run(
    folder: Path,
    venue: Exchange,
    origin: int,
    rate: float,
    play: Play,
    counts: Mapping[str, int],
    edit: Callable[[Path], None],
) -> None:
    at = time.time_ns() // NANOSECONDS_PER_SECOND * NANOSECONDS_PER_SECOND
    config = configure(folder / "config", venue.urls(), origin, at, rate)
    edit(config.parent)
    venue.live(origin + round((time.time_ns() - at) * rate), rate)
    wish = await paper_wish(read_configuration(config), "paper.1", None, 10.0)
    (folder / "session").mkdir()
    told: list[str] = []
    seats = seat_names(counts)
    platform = Platform(
        folder / "session",
        wish,
        seats,
        plan_ports(seats, base_port=0),
        told.append,
        logs=folder / "logs",
    )
    run = PaperRun(platform, venue, folder, origin, at, rate, told)
    try:
        await platform.start()
        async with _watched(platform):
            await play(run)
    finally:
        killed = await platform.drain()
    assert killed == [], f"{killed} did not stop by themselves"


@asynccontextmanager
async def _watched(platform: Platform) -> AsyncIterator[None]:
    """The block ends with a child's failure if one gives up."""
    task = asyncio.current_task()
    assert task is not None
    failed = asyncio.ensure_future(platform.failed())

    def end(done: asyncio.Future[None]) -> None:
        if not done.cancelled():
            task.cancel()

    failed.add_done_callback(end)
    try:
        yield
    except asyncio.CancelledError:
        if failed.done():
            failed.result()
        raise
    finally:
        failed.remove_done_callback(end)
        failed.cancel()
        await asyncio.gather(failed, return_exceptions=True)
