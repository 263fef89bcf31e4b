"""`make bench-services`: what one replica of each service can do, and what a second one costs.

    flow    four portfolios through the five services, each service doubled in turn, windows with
            one replica of everything between them
    queue   runs that wait at Monte Carlo, drained by one replica and by two

A Python service computes on one core, so what it does in a second of CPU is what one replica can do
in a second on a core of its own. That carries to other machines in proportion to their cores. The
closes per second of the whole flow don't: on two cores, both are busy, and no second replica can
add what is not there.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure, report
from benchmarks.flow_windows import NATS, FlowWindows, Window
from benchmarks.queue_drain import TIME_STEPS, Drain, drained
from benchmarks.sessions import SYMBOLS, synthetic_life
from stratvector.trading.flow import SERVICES
from tests.sessions.side_by_side import named

ROUNDS = 3
WINDOW_SECONDS = 8.0
PORTFOLIOS = 4
CLOSES = 60_000  # of each; more than a run of twelve minutes needs
FASTER_MIN = 1.8
PARTS = ("flow", "queue")
# What a service makes of a close, and how many.
MADE = {
    "market_data": ("bars", SYMBOLS),
    "strategy": ("signals", SYMBOLS),
    "risk": ("decisions", 1),
    "execution": ("reports", 1),
    "ledger": ("entries", 1),
}

Turn = tuple[Window, Window]
"""A window with one replica of everything, and one with a service doubled."""


@dataclass
class Flow:
    """What was seen of the flow. alone : windows with one replica of everything. doubled : turns by
    service.
    """

    alone: list[Window] = field(default_factory=list)
    doubled: dict[str, list[Turn]] = field(default_factory=dict)


def flow(rounds: int, seconds: float) -> Flow:
    """Each service doubled in each round, a window of one replica each before every other one."""
    sessions = [
        named(synthetic_life(CLOSES, seed=n), f"bench{n}", f"replay.{n}")
        for n in range(1, PORTFOLIOS + 1)
    ]
    seen = Flow(doubled={service: [] for service in SERVICES})
    with tempfile.TemporaryDirectory() as folder, FlowWindows(Path(folder), sessions) as running:
        for number in range(rounds):
            for place, service in enumerate(SERVICES):
                if place % 2 == 0:
                    seen.alone.append(running.window(seconds))
                turn = seen.alone[-1], running.doubled(service, seconds)
                seen.doubled[service].append(turn)
                _tell(number, service, *turn)
    return seen


def queue(rounds: int) -> list[tuple[Drain, Drain]]:
    """One replica and two, in turns."""
    seen = list[tuple[Drain, Drain]]()
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            one = drained(Path(name) / f"one-{number}", [0])
            two = drained(Path(name) / f"two-{number}", [0, 1])
            seen.append((one, two))
            print(f"round {number + 1}: queue {one.seconds:.1f} s, {two.seconds:.1f} s", flush=True)
    return seen


def capacity(seen: Flow) -> list[Figure]:
    """What one replica needs per close, so what it can do, and its memory."""
    figures = list[Figure]()
    for service in (*SERVICES, NATS):
        cpu = _median(seen.alone, _cpu_of(service))
        figures.append(_plain(f"{service}: CPU", cpu, "s per 1,000 closes"))
        if service in MADE:
            made, each = MADE[service]
            figures.append(_plain(f"{service}: {made}", each * 1_000 / cpu, "/s of a core"))
        memory = _median(seen.alone, _memory_of(service))
        figures.append(_plain(f"{service}: memory", memory, "MiB"))
    orders = _median(seen.alone, lambda w: w.orders / w.closes["execution"])
    for service in ("risk", "execution"):
        cpu = _median(seen.alone, _cpu_of(service))
        figures.append(_plain(f"{service}: orders", orders * 1_000 / cpu, "/s of a core"))
    figures.append(_plain("flow: decided", _median(seen.alone, _rate), "closes/s on all cores"))
    for service in seen.alone[0].waiting:
        waiting = _median(seen.alone, _waiting_for(service))
        figures.append(_plain(f"{service}: waiting for it", waiting, "messages"))
    return figures


def doubling(seen: Flow) -> list[Figure]:
    """What a second replica changes: the flow's closes, the service's CPU per close, and all of
    it.
    """
    figures = list[Figure]()
    for service, turns in seen.doubled.items():
        measures: dict[str, tuple[Callable[[Window], float], str]] = {
            "flow": (_rate, "closes/s"),
            "its CPU": (_cpu_of(service), "s per 1,000 closes"),
            "all CPU": (lambda w: w.cpu_of_flow, "s per 1,000 closes"),
        }
        for name, (of, unit) in measures.items():
            figures.append(_doubled(f"{service} x 2: {name}", turns, of, unit))
    return figures


def queued(seen: Sequence[tuple[Drain, Drain]]) -> list[Figure]:
    """How much sooner two replicas are through, and what the same paths cost them.

    Who else is on the processors makes the seconds longer, and those of two replicas more so. The
    CPU of the busier one is what two are through in where each has a processor to itself.
    """
    ones, twos = ([turn[place] for turn in seen] for place in (0, 1))
    return [
        _sooner("queue", ones, twos, lambda drain: drain.seconds, "s"),
        _sooner("busier one", ones, twos, lambda drain: max(drain.cpu_seconds), "s of CPU"),
        _plain(
            "monte_carlo x 2: CPU of both",
            _median_of(
                sum(two.cpu_seconds) / sum(one.cpu_seconds)
                for one, two in zip(ones, twos, strict=True)
            ),
            "x that of one",
        ),
        _plain(
            "monte_carlo: paths",
            _median_of(sum(one.paths) / sum(one.cpu_seconds) for one in ones),
            f"/s of a core, {TIME_STEPS} steps, 2 assets",
        ),
        _plain("monte_carlo: open runs", max(one.longest for one in ones), "at most"),
        _plain("monte_carlo: memory", max(one.memory for one in ones), "MiB"),
    ]


def _sooner(
    name: str,
    ones: Sequence[Drain],
    twos: Sequence[Drain],
    of: Callable[[Drain], float],
    unit: str,
) -> Figure:
    ratio = _median_of(of(one) / of(two) for one, two in zip(ones, twos, strict=True))
    one, two = (_median_of(map(of, drains)) for drains in (ones, twos))
    goal = f">= {FASTER_MIN:g} x as fast"
    case = f"monte_carlo x 2: {name}"
    return Figure(case, "one replica", two, one, unit, ratio, goal, ratio >= FASTER_MIN)


def _doubled(case: str, turns: Sequence[Turn], of: Callable[[Window], float], unit: str) -> Figure:
    alone, both = (_median(column, of) for column in zip(*turns, strict=True))
    ratio = statistics.median(of(second) / of(first) for first, second in turns)
    return Figure(case, "one replica", both, alone, unit, ratio, "", True)


def _plain(case: str, value: float, unit: str) -> Figure:
    return Figure(case, "", value, None, unit, None, "", True)


def _median(windows: Sequence[Window], of: Callable[[Window], float]) -> float:
    return _median_of(of(window) for window in windows)


def _median_of(values: Iterable[float]) -> float:
    return statistics.median(values)


def _rate(window: Window) -> float:
    return window.closes_per_s


def _cpu_of(service: str) -> Callable[[Window], float]:
    return lambda window: window.cpu_per_1000(service)


def _memory_of(service: str) -> Callable[[Window], float]:
    return lambda window: window.memory[service]


def _waiting_for(service: str) -> Callable[[Window], float]:
    return lambda window: window.waiting[service]


def _tell(number: int, service: str, alone: Window, doubled: Window) -> None:
    print(
        f"round {number + 1}: {service} x 2: {alone.closes_per_s:.0f} -> "
        f"{doubled.closes_per_s:.0f} closes/s, its CPU {alone.cpu_per_1000(service):.2f} -> "
        f"{doubled.cpu_per_1000(service):.2f} s per 1,000 closes",
        flush=True,
    )


def main() -> None:
    """Measure, print, write results/services.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=WINDOW_SECONDS, help="of each window")
    parser.add_argument("--part", choices=PARTS, help="measure one part alone")
    given = parser.parse_args()
    figures = list[Figure]()
    if given.part in (None, "queue"):
        figures += queued(queue(given.rounds))
    if given.part in (None, "flow"):
        seen = flow(given.rounds, given.seconds)
        figures += [*capacity(seen), *doubling(seen)]
    report("services" if given.part is None else f"services-{given.part}", figures)


if __name__ == "__main__":
    main()
