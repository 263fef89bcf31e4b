"""The five services with several portfolios, looked at through windows of some seconds.

    scrape ─▶ some seconds of flow ─▶ scrape: closes, orders, CPU, memory and waiting messages

What a service did is what its own lanes say, in closes: one that is behind is not flattered by
decisions that others made meanwhile. A window begins when every lane has its owner again.
"""

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.sessions import HOUR_NS
from stratvector.trading.flow import BARS_AHEAD_MAX, SERVICES, produced_by
from stratvector.trading.session import Session
from tests.processes.house import House
from tests.processes.service_process import ServiceProcess

NATS = "nats-server"
LEASE_SECONDS = 2.0
PATIENCE_SECONDS = 120.0
# Whoever gave a lane away begins as its standby, with the newest chapter: no part of what follows.
SETTLING_SECONDS, SETTLED, SETTLING_LOOKS_MAX = 4.0, 0.9, 12
LOOK_SECONDS = 0.2
HOUR_SECONDS = HOUR_NS / 1e9
MEBIBYTE = 1024 * 1024
# What each service takes from the bus last before it can go on.
AWAITED = {"strategy": "bars", "risk": "fills", "execution": "orders"}

Samples = dict[tuple[str, str], float]
"""A process's figures by name and by the label that matters here, "" where none does."""


@dataclass(frozen=True)
class Window:
    """What happened in it. closes : of all portfolios, by the service that was through with them.
    cpu_seconds : by service, replicas in sum; nats-server too. memory : MiB of the largest process
    of a service. waiting : messages on average, by service. orders : accepted.
    """

    seconds: float
    closes: dict[str, float]
    cpu_seconds: dict[str, float]
    memory: dict[str, float]
    waiting: dict[str, float]
    orders: float

    @property
    def closes_per_s(self) -> float:
        """Decided."""
        return self.closes["risk"] / self.seconds

    def cpu_per_1000(self, service: str) -> float:
        """CPU seconds per 1,000 closes that a service was through with."""
        return 1_000 * self.cpu_seconds[service] / self.closes.get(service, self.closes["risk"])

    @property
    def cpu_of_flow(self) -> float:
        """The same of all services together and nats-server."""
        return sum(self.cpu_per_1000(service) for service in self.cpu_seconds)


@dataclass(frozen=True)
class _Look:
    """One look at everything."""

    at: float
    cpu_seconds: dict[str, float]
    memory: dict[str, float]
    samples: dict[str, list[Samples]]

    def newest(self, service: str) -> dict[str, float]:
        """The newest close of each of a service's lanes, in hours."""
        noun, found = produced_by(service)[-1].noun, dict[str, float]()
        name = "stratvector_lane_close_seconds"
        if service == "ledger":  # positions are of the newest close alone; its database has all
            noun, name = "", "stratvector_ledger_close_seconds"
        for one in self.samples[service]:
            for (sample, label), value in one.items():
                if sample == name and label.startswith(noun):
                    found[label] = max(found.get(label, 0.0), value / HOUR_SECONDS)
        return found

    def total(self, service: str, name: str, label: str) -> float:
        """The sum of a figure over a service's processes."""
        return sum(one.get((name, label), 0.0) for one in self.samples[service])


class FlowWindows:
    """A running flow, for whoever measures it; a context that ends it."""

    def __init__(self, folder: Path, sessions: Sequence[Session]) -> None:
        self._house, self._sessions = House(folder), sessions
        self._ends, self._processes = ExitStack(), dict[str, list[ServiceProcess]]()

    def __enter__(self) -> "FlowWindows":
        try:
            self._house.start(self._ends, LEASE_SECONDS, services=SERVICES)
            self._processes = {name: [one] for name, one in self._house.services.items()}
            for session in self._sessions:
                self._house.apply(session)
            for session in self._sessions:
                self._house.until_recording(session)
            self._until_flowing()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def doubled(self, service: str, seconds: float) -> Window:
        """A window with a second replica of a service, that ends afterwards.

        Raises TimeoutError where lanes stay unshared.
        """
        name, own = f"{service}-2", self._house.own_of(service)
        second = self._ends.enter_context(self._house.process(service, name, **own))
        self._processes[service].append(second)
        half, rest = divmod(len(self._sessions), 2)
        self._until_owned(service, [half, half + rest])
        self._until_flowing()
        self._until_settled(service)
        window = self.window(seconds)
        self._processes[service].remove(second)
        second.stop()
        self._until_owned(service, [len(self._sessions)])
        self._until_flowing()
        return window

    def window(self, seconds: float) -> Window:
        """What happens in so many seconds."""
        before = self._look()
        time.sleep(seconds)
        after = self._look()
        took = after.at - before.at
        waited = "stratvector_message_wait_seconds_sum"
        return Window(
            took,
            {service: _grown(before, after, service) for service in SERVICES},
            _less(after.cpu_seconds, before.cpu_seconds),
            after.memory,
            {
                one: (after.total(one, waited, noun) - before.total(one, waited, noun)) / took
                for one, noun in AWAITED.items()
            },
            _orders(after) - _orders(before),
        )

    def _until_owned(self, service: str, counts: Sequence[int]) -> None:
        """Wait until the lanes of a service are spread over its processes like this."""
        noun, name = produced_by(service)[-1].noun, "stratvector_lane_owner"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            owned = [
                sum(
                    value
                    for (sample, label), value in _samples(one).items()
                    if sample == name and label.startswith(noun)
                )
                for one in self._processes[service]
            ]
            if sorted(owned) == list(counts):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"lanes of {service} are owned as {owned}, not as {counts}")
            time.sleep(LOOK_SECONDS)

    def _until_flowing(self) -> None:
        """Wait until every lane has gone a window of bars on: an heir begins with what the log
        holds, and meanwhile others live on what stands before it.
        """
        deadline, base = time.monotonic() + PATIENCE_SECONDS, dict[str, dict[str, float]]()
        waiting = set(SERVICES)
        while waiting:
            now = self._look()
            for service in set(waiting):
                newest = now.newest(service)
                begun = base.get(service, {})
                if len(begun) < len(self._sessions):
                    base[service] = newest
                elif all(newest.get(lane, 0.0) > begun[lane] + BARS_AHEAD_MAX for lane in begun):
                    waiting.remove(service)
            if time.monotonic() > deadline:
                raise TimeoutError(f"lanes of {sorted(waiting)} do not go on")
            time.sleep(LOOK_SECONDS)

    def _until_settled(self, service: str) -> None:
        """Wait until its CPU per close does not fall any more, which takes a minute at most."""
        before = math.inf
        for _ in range(SETTLING_LOOKS_MAX):
            now = self.window(SETTLING_SECONDS).cpu_per_1000(service)
            if now > SETTLED * before:
                return
            before = now

    def _look(self) -> _Look:
        pids = {name: [one.pid for one in found] for name, found in self._processes.items()}
        pids[NATS] = [pid for pid in (self._house.server.pid,) if pid is not None]
        cpu, memory = dict[str, float](), dict[str, float]()
        for name, own in pids.items():
            found = [psutil.Process(pid) for pid in own]
            cpu[name] = sum(sum(one.cpu_times()[:2]) for one in found)
            memory[name] = max(one.memory_info().rss for one in found) / MEBIBYTE
        samples = {name: [_samples(one) for one in own] for name, own in self._processes.items()}
        return _Look(time.monotonic(), cpu, memory, samples)


def _samples(process: ServiceProcess) -> Samples:
    """One scrape; a subject's noun is told as the noun itself is."""
    found: Samples = defaultdict(float)
    for family in text_string_to_metric_families(process.get("/metrics")[1]):
        for one in family.samples:
            labels = one.labels
            label = labels.get("lane") or labels.get("noun") or labels.get("outcome") or ""
            if one.name == "stratvector_ledger_close_seconds":
                label = labels["run"]
            found[one.name, label] = one.value
    return found


def _grown(before: _Look, after: _Look, service: str) -> float:
    """Closes that a service was through with. Raises RuntimeError where a lane did not move."""
    begun, ended = before.newest(service), after.newest(service)
    grown = {lane: ended[lane] - begun[lane] for lane in begun.keys() & ended.keys()}
    if begun.keys() != ended.keys() or not all(grown.values()):
        raise RuntimeError(
            f"{service} published nothing in some lane: {grown}; has a session come to its end?"
        )
    return sum(grown.values())


def _orders(look: _Look) -> float:
    return look.total("execution", "stratvector_order_outcomes_total", "accepted")


def _less(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in before}
