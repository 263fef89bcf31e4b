"""A message that no honest owner writes, stored with the owner's own key on a real bus: its lane
halts, no process dies, and `up` says which lane halted and why.

`test_poisoned_messages.py` of the runtime has some fourteen of each noun, read in one process.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from stratvector.cli.platform.bus import client_logs
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.ports import plan_ports
from stratvector.cli.platform.readiness import HALTED, Readiness
from stratvector.cli.platform.replicas import seat_names
from stratvector.cli.platform.run_folder import RunFolder
from stratvector.cli.platform.session_watch import SessionHalted, refuse_halts
from stratvector.contracts import codecs
from stratvector.runtime.chapters import chapter_message, first_chapter
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.ports import Kind, Message, WrongSequence
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.flow import SERVICES, hop
from stratvector.trading.lanes import (
    bars_lane,
    fills_lane,
    orders_lane,
    positions_lane,
    signals_lane,
)
from stratvector.trading.ledger import Positions
from stratvector.trading.orders import ApprovedOrder, Decision
from stratvector.trading.reasons import SignalReason
from stratvector.trading.session import Session
from stratvector.trading.signals import Action, SignalRow, Signals
from tests.sessions.begun import session_in
from tests.sessions.generated_sessions import Shape, generated_session

ROOT = Path(__file__).parents[2]
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 120.0
# Who halts whatever the others do: the owner that adopts its lane, or the first who needs it.
HALTS = {
    "bars": {"market_data", "strategy"},
    "signals": {"strategy", "risk"},
    "orders": {"execution"},
    "fills": {"risk", "execution"},
    "positions": {"ledger"},
}
# `make chaos` has all; a poisoned lane of orders ends `stratvector up` in `make test` too
# (libs/cli/tests/test_up_processes.py).
IN_EVERY_RUN = ("bars",)


def poison(session: Session, noun: str) -> tuple[str, bytes]:
    """A lane, and what is wrong in one figure alone."""
    portfolio = session.portfolio
    model = portfolio.models[0]
    name, account = portfolio.name, portfolio.account_names[0]
    close = int(session.schedule.close_times[0])
    symbol = portfolio.symbols[0]
    match noun:
        case "signals":
            rows = tuple(
                SignalRow(one, 7.0, 1.0, Action.BUY, SignalReason.NONE)
                for one in portfolio.universe(model.universe).symbols
            )
            first = int(session.schedule.closes_of(model.universe)[0])
            said = Signals(name, model.name, "1.0.0", first, rows, (), "bars")
            lane = signals_lane(portfolio, model.name)
            return lane, codecs.encode_signals(said)
        case "orders":
            lots = 10**7
            parts = (lots, *[0] * (len(portfolio.models) - 1))
            order = ApprovedOrder("o1", symbol, lots, parts, Decimal(10), close, close + 1)
            cash = float(portfolio.initial_cash)
            decision = Decision(name, close, cash, 0.0, 1.0, False, False, (order,), (), (), ())
            return orders_lane(portfolio), codecs.encode_decision(decision)
        case "fills":
            fill = FillEvent(FillKind.FILLED, "o1", "ZZZ", execution_id="e1", lots=5)
            fill = replace(fill, price=Decimal(10), fill_time=close - 1, known_time=close)
            report = FillsReport(name, account, 0, (fill,), close)
            return fills_lane(portfolio, portfolio.account_names[0]), codecs.encode_fills_report(
                report
            )
        case _:
            held = Positions(name, close, 0, {"ZZZ": 5}, Decimal(50), Decimal(100))
            return positions_lane(portfolio), codecs.encode_positions(held)


@asynccontextmanager
async def thief(platform: Platform, service: str) -> AsyncIterator[JetStreamBus]:
    """The bus with a service's own key."""
    client = await connect(
        platform.bus.url, platform.bus.seed_file(service), "thief", PATIENCE_SECONDS
    )
    try:
        yield JetStreamBus(client)
    finally:
        await client.close()


async def plant(platform: Platform, session: Session, noun: str) -> str:
    """Begin the log, and store the poison where the owner will begin; the lane."""
    lane, payload = poison(session, noun)
    async with thief(platform, "risk") as bus:
        await bus.publish(chapter_message(first_chapter(session), 1), 0)
    async with thief(platform, hop(noun).producer) as bus:
        await bus.publish(Message(lane, "poison", payload, 1), 0)
    return lane


async def plant_next_bars(platform: Platform, session: Session) -> str:
    """Be quicker than market_data with the next close, at a price of -5; the lane."""
    universe = session.portfolio.universes[0]
    lane = bars_lane(session.portfolio, universe)
    async with thief(platform, "market_data") as bus:
        while True:
            last = await bus.last(lane)
            if last is None or last.message.kind is not Kind.CONTENT:
                continue
            known = codecs.decode_closed_bars(last.message.payload).close_time
            section = next(session.sections(universe.name, known))
            price = section.close.copy()
            price[0] = -5.0
            payload = codecs.encode_closed_bars(replace(section, close=price))
            with suppress(WrongSequence):
                message = Message(lane, "poison", payload, last.message.epoch)
                await bus.publish(message, last.sequence)
                return lane


async def until_halted(platform: Platform, wanted: set[str]) -> Mapping[str, Readiness]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await platform.readiness()
            if wanted <= {name for name, one in found.items() if one.state == HALTED}:
                return found
            await asyncio.sleep(LOOK_SECONDS)


@pytest.mark.parametrize(
    "noun",
    [
        noun if noun in IN_EVERY_RUN else pytest.param(noun, marks=pytest.mark.long)
        for noun in HALTS
    ],
)
def test_a_poisoned_lane_halts_kills_no_process_and_is_named(
    noun: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.fspath(ROOT))  # where the session's strategies stand
    monkeypatch.setenv("STRATVECTOR_MARKET_DATA_BARS_AHEAD_MAX", "2")
    folder = tmp_path / "session"
    session, told = generated_session(3, Shape(1, 2, 2, closes=2_000)), list[str]()
    session_in(folder, session)

    def platform_of(seats: list[tuple[str, str]]) -> Platform:
        plan = plan_ports(seats, base_port=0)
        return Platform(folder, RunFolder(folder).wish, seats, plan, told.append, logs=tmp_path)

    async def run() -> None:
        lane = ""
        if noun != "bars":  # bars that are not the session's own are refused at its start
            bus_alone = platform_of([])
            await bus_alone.start()
            lane = await plant(bus_alone, session, noun)
            await bus_alone.drain()
        platform = platform_of(seat_names(dict.fromkeys(SERVICES, 1)))
        try:
            await platform.start()
            lane = lane or await plant_next_bars(platform, session)
            found = await until_halted(platform, HALTS[noun])
            with pytest.raises(SessionHalted, match=lane) as halted:
                refuse_halts(found)
            for name in HALTS[noun]:
                assert f"{name} has halted: message " in str(halted.value)
            for name, child in platform.children.items():
                assert child.pid is not None
                assert child.starts == 1, f"{name} died"
        finally:
            assert await platform.drain() == []

    with client_logs():
        asyncio.run(run())
