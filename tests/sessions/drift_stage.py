"""A session's bars and signals on a real nats-server, drift processes beside it, and what they must
find.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
import yaml

from stratvector.contracts.codecs import encode_signals
from stratvector.contracts.v1.drift_service_pb2_grpc import DriftServiceStub
from stratvector.drift import DriftRules, ModelDrift, ModelWatch
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.ports import Message
from stratvector.trading.flow import stream_of
from stratvector.trading.identity import message_id
from stratvector.trading.session import Session
from tests.processes.service_process import PATIENCE_SECONDS, ServiceProcess
from tests.sessions.begun import begin_at
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.hand_fed import (
    bars_lane,
    bars_of,
    decisions,
    orders_lane,
    signals_lane,
    signals_of,
)

SESSION = generated_session(8, Shape(universes=2, symbols=2, models=3, closes=420))
RULES = DriftRules(reference_closes=120, window_closes=100)
HOUR = 3_600 * 10**9
FIRST, LAST = 0, 2**62  # closes before and after all others
Answer = TypeVar("Answer")


class DriftStage:
    """One session on one server without accounts. rules_file : what the processes are told."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder, self.session = folder, session
        self.rules_file = folder / "drift.yaml"
        self.rules_file.write_text(
            yaml.safe_dump({"reference_closes": 120, "window_closes": 100, "every_hours": 6})
        )
        self.server = NatsServer(
            ServerSettings(folder / "store", free_port()), folder, folder / "nats.log"
        )

    def process(self, name: str, **other: Any) -> ServiceProcess:
        """A drift process on ports of its own."""
        told: dict[str, Any] = {
            "nats_url": self.server.url,
            "http_port": 0,
            "drift_config": self.rules_file,
            "drain_seconds": 3.0,
        }
        return ServiceProcess("stratvector.services.drift", self.folder, name, **(told | other))

    def raise_server(self) -> None:
        """Start it with its streams."""
        self.server.start()
        begin_at(self.server.url, self.session)

    def publish(self, after: int, until: int) -> None:
        """Everything of the closes after < t <= until (ns UTC), lane by lane."""
        asyncio.run(self._publish(after, until))

    async def _publish(self, after: int, until: int) -> None:
        client = await connect(self.server.url, None, "feeder", 30.0)
        bus = JetStreamBus(client)
        for lane, payloads in lanes_of(self.session):
            newest = await bus.last(lane)
            sequence = 0 if newest is None else newest.sequence
            for close_time, payload in payloads:
                if after < close_time <= until:
                    identity = message_id(stream_of(lane), lane, close_time)
                    stored = await bus.publish(Message(lane, identity, payload, 1), sequence)
                    sequence = stored.sequence
        await client.close()


def lanes_of(session: Session) -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    """Every lane that drift reads, with its whole content by close."""
    for universe in session.portfolio.universes:
        closes = session.histories[universe.name].bars.close_times.tolist()
        sections = bars_of(session, universe)
        yield bars_lane(session, universe.name), list(zip(closes, sections, strict=True))
    for model in session.portfolio.models:
        closes = session.schedule.closes_of(model.universe).tolist()
        said = [encode_signals(signals_of(session, model.name, close)) for close in closes]
        yield signals_lane(session, model.name), list(zip(closes, said, strict=True))
    closes = session.schedule.close_times.tolist()
    yield orders_lane(session), list(zip(closes, decisions(session, {}), strict=True))


def expected_checks(
    session: Session, rules: DriftRules, until: int = LAST
) -> dict[str, list[ModelDrift]]:
    """What every check up to a close finds, by a loop of its own over the session in memory."""
    portfolio, schedule = session.portfolio, session.schedule
    watches = {
        m.name: ModelWatch(m.name, portfolio.universe(m.universe).symbols, rules)
        for m in portfolio.models
    }
    found: dict[str, list[ModelDrift]] = {name: [] for name in watches}
    next_check = 0
    for index, close_time in enumerate(schedule.between(0, until).close_times.tolist()):
        for model in portfolio.models:
            if model.universe in schedule.universes_at(index):
                bars = session.histories[model.universe].bars
                section = bars.closed(bars.at(close_time), model.universe, "1H")
                watches[model.name].take(section, signals_of(session, model.name, close_time))
        if close_time >= next_check:
            next_check = (close_time // (rules.every_hours * HOUR) + 1) * rules.every_hours * HOUR
            for name, watch in watches.items():
                known = found[name][-1].close_time if found[name] else 0
                if watch.close_time > known:
                    found[name].append(watch.drift())
    return found


def ask(process: ServiceProcess, question: Callable[[Any], Answer]) -> Answer:
    """The answer of the process, over a real channel."""
    with grpc.insecure_channel(f"127.0.0.1:{process.port('grpc_port')}") as channel:
        return question(DriftServiceStub(channel))


def until(holds: Callable[[], bool], complaint: str) -> None:
    """Wait for what the process does by itself."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)
