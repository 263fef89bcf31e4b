"""`make bench-replay`: the five services over JetStream against bare JetStream hops.

All run on the same kind of server (every acknowledged message synced), take turns, and carry the
same payloads: the bare ones' are read from the log of the first run. A close of the session is four
messages (bars, signals, orders, fills) and sometimes positions; the chain's is four messages
through four processes. The bare flow reads as the services read, with no ledger and nothing to
compute: what no flow of these messages can beat on this machine.

    lockstep   bars may run one close ahead: the time from one close's bars to the next one's
    window     bars run 64 closes ahead: closes per second
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.bare_hops import CHAIN, FLOW, Graph, run_hops
from benchmarks.figures import Figure, report
from benchmarks.sessions import synthetic_session
from benchmarks.stored_times import StoredMessage, stored_messages
from stratvector.cli.platform.session_watch import until_started
from stratvector.contracts.codecs import decode_closed_bars, decode_fills_report
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.trading.flow import SERVICES
from stratvector.trading.lanes import bars_lane, fills_lane, orders_lane, signals_lane
from stratvector.trading.session import Session
from tests.sessions.process_flow import Running, run_processes

REPEATS = 5
CLOSES = 3_000
WARM = 0.2  # the part of a session that is never measured: first calls
WINDOW = 64
LOOK_SECONDS = 0.25  # between two looks at how far a run is, as looking costs it time


@dataclass(frozen=True)
class FlowRun:
    """One measured run of the services.

    periods : seconds from one close's bars to the next one's. closes_per_s : decided.
    cpu_seconds : per service and 1,000 closes. payloads : of each noun, one per close.
    """

    periods: list[float]
    closes_per_s: float
    cpu_seconds: dict[str, float]
    payloads: dict[str, list[bytes]]


def run_flow(session: Session, bars_ahead: int) -> FlowRun:
    """The services as processes, measured from `WARM` of the session, or from when the last of them
    is up, to its end.
    """
    seen: list[FlowRun] = []

    async def measure(run: Running) -> None:
        await until_started(run.platform, lambda sentence: None)
        begun = await run.reach(WARM)
        before = _cpu_seconds(run)
        await run.reach(1.0, LOOK_SECONDS)
        after = _cpu_seconds(run)
        measured = (1.0 - begun) * len(session.schedule) / 1_000
        cpu = {name: (after[name] - before[name]) / measured for name in before}
        seen.append(await _flow_run(run, session, cpu, begun))

    window = {"STRATVECTOR_MARKET_DATA_BARS_AHEAD_MAX": str(bars_ahead)}
    with tempfile.TemporaryDirectory() as folder:
        run_processes(Path(folder), session, disturb=measure, settings=window)
    return seen[0]


async def _flow_run(run: Running, session: Session, cpu: dict[str, float], begun: float) -> FlowRun:
    portfolio = session.portfolio
    universe, model = portfolio.universes[0], portfolio.models[0]
    lanes = {
        "bars": bars_lane(portfolio, universe),
        "signals": signals_lane(portfolio, model.name),
        "orders": orders_lane(portfolio),
        "fills": fills_lane(portfolio, portfolio.account_names[0]),
    }
    read = {noun: await stored_messages(run.client, lane) for noun, lane in lanes.items()}
    bars = [m for m in read["bars"] if _close_of(m) >= session.start]
    closed = [m for m in read["fills"] if decode_fills_report(m.payload).closed is not None]
    first = int(begun * len(bars))
    times = [message.time for message in bars[first:]]
    decided = [message.time for message in read["orders"]][first:]
    payloads = {
        "bars": [m.payload for m in bars],
        "signals": [m.payload for m in read["signals"]],
        "orders": [m.payload for m in read["orders"]],
        "fills": [m.payload for m in closed],
    }
    periods = [later - earlier for earlier, later in pairwise(times)]
    rate = (len(decided) - 1) / (decided[-1] - decided[0])
    return FlowRun(periods, rate, cpu, payloads)


def _close_of(message: StoredMessage) -> int:
    return decode_closed_bars(message.payload).close_time


def _cpu_seconds(run: Running) -> dict[str, float]:
    """User and system time of every child so far."""
    pids = {name: child.pid for name, child in run.platform.children.items()}
    times = {n: psutil.Process(pid).cpu_times() for n, pid in pids.items() if pid is not None}
    return {name: spent.user + spent.system for name, spent in times.items()}


def run_bare(
    graph: Graph, payloads: Mapping[str, list[bytes]], window: int
) -> tuple[list[float], float]:
    """Periods and closes per second of bare hops, their first part left out too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = NatsServer(
            ServerSettings(folder / "store", free_port()), folder, folder / "server.log"
        )
        server.start()
        try:
            begun, ended = run_hops(graph, folder, server.url, payloads, window)
        finally:
            server.stop()
    first = int(WARM * len(begun))
    begun, ended = begun[first:], ended[first:]
    periods = [later - earlier for earlier, later in pairwise(begun)]
    return periods, (len(ended) - 1) / (ended[-1] - ended[0])


def measure(session: Session, repeats: int) -> tuple[list[Figure], dict[str, float]]:
    """Rows of both cases, medians of `repeats` turns, and CPU seconds of the window runs."""
    p50s, p95s, rates, flow_rates = [], [], [], []
    cpus: list[dict[str, float]] = []
    for turn in range(repeats):
        lockstep, window = run_flow(session, 1), run_flow(session, WINDOW)
        bare_lockstep = run_bare(CHAIN, lockstep.payloads, 1)[0]
        bare_rate = run_bare(CHAIN, lockstep.payloads, WINDOW)[1]
        bare_flow_rate = run_bare(FLOW, lockstep.payloads, WINDOW)[1]
        p50s.append((_quantile(lockstep.periods, 0.50), _quantile(bare_lockstep, 0.50)))
        p95s.append((_quantile(lockstep.periods, 0.95), _quantile(bare_lockstep, 0.95)))
        rates.append((window.closes_per_s, bare_rate))
        flow_rates.append((window.closes_per_s, bare_flow_rate))
        cpus.append(window.cpu_seconds)
        _tell(turn, p50s[-1], p95s[-1], rates[-1], flow_rates[-1])
    figures = [
        _figure("lockstep p50", p50s, 1e3, "ms per close", 1.6, _ours_over_theirs),
        _figure("lockstep p95", p95s, 1e3, "ms per close", 2.4, _ours_over_theirs),
        _figure("window of 64", rates, 1.0, "closes/s", 1.5, _theirs_over_ours),
    ]
    figures.append(_beside_bare_flow(flow_rates, rates))
    return figures, {n: statistics.median(c[n] for c in cpus) for n in cpus[0]}


def _ours_over_theirs(ours: float, theirs: float) -> float:
    return ours / theirs


def _theirs_over_ours(ours: float, theirs: float) -> float:
    """Rates: how many times longer ours takes."""
    return theirs / ours


def _figure(
    case: str,
    pairs: Sequence[tuple[float, float]],
    scale: float,
    unit: str,
    ratio_max: float,
    ratio_of: Callable[[float, float], float],
) -> Figure:
    ratio = statistics.median(ratio_of(*pair) for pair in pairs)
    ours, theirs = (statistics.median(column) * scale for column in zip(*pairs, strict=True))
    goal = f"takes <= {ratio_max:g} x the chain"
    return Figure(case, "bare JetStream chain", ours, theirs, unit, ratio, goal, ratio <= ratio_max)


def _beside_bare_flow(
    pairs: Sequence[tuple[float, float]], chain: Sequence[tuple[float, float]]
) -> Figure:
    """No goal: its note says what the bare flow itself takes of the chain."""
    ratio = statistics.median(_theirs_over_ours(*pair) for pair in pairs)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    own = statistics.median(c[1] / f[1] for c, f in zip(chain, pairs, strict=True))
    note = f"(the bare flow takes {own:.2f} x the chain)"
    return Figure("window of 64", "bare flow", ours, theirs, "closes/s", ratio, note, True)


def _quantile(values: Sequence[float], fraction: float) -> float:
    return sorted(values)[int(fraction * len(values))]


def _tell(turn: int, *pairs: tuple[float, float]) -> None:
    p50, p95, rate, flow_rate = pairs
    print(
        f"turn {turn + 1}: lockstep p50 {p50[0] * 1e3:.2f} / {p50[1] * 1e3:.2f} ms, "
        f"p95 {p95[0] * 1e3:.2f} / {p95[1] * 1e3:.2f} ms, "
        f"window {rate[0]:.0f} / {rate[1]:.0f} closes/s (bare flow {flow_rate[1]:.0f})",
        flush=True,
    )


def main(repeats: int) -> None:
    """Measure, print, write results/replay.json."""
    figures, cpu = measure(synthetic_session(CLOSES), repeats)
    for name in ("nats-server", *SERVICES):
        case = f"CPU of {name}, window of 64"
        figures.append(Figure(case, "", cpu[name], None, "s per 1,000 closes", None, "", True))
    report("replay", figures)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS)
