"""Lanes fed by hand: what the other services of a flow would publish, so that one runs alone."""

from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

import numpy as np

from stratvector.contracts.codecs import (
    encode_closed_bars,
    encode_decision,
    encode_fills_report,
    encode_signals,
)
from stratvector.runtime.chapters import chapter_message, first_chapter
from stratvector.runtime.host import ServiceFactory, Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.world import World
from stratvector.trading import lanes
from stratvector.trading.fills import FillEvent, FillsReport
from stratvector.trading.flow import stream_of
from stratvector.trading.identity import message_id, order_id
from stratvector.trading.orders import ApprovedOrder, Cancel, Decision
from stratvector.trading.portfolio import Universe
from stratvector.trading.reasons import SignalReason
from stratvector.trading.session import Session
from stratvector.trading.signals import Action, SignalRow, Signals


def feed(world: World, lane: str, payloads: Sequence[bytes]) -> None:
    """Publish on a lane, as its only owner, before the service under test starts."""
    name = f"feeder {len(world.bus.journal)} of {lane}"
    world.add(name, feeder(lane, payloads))
    world.run(until=[name])


def feeder(
    lane: str, payloads: Sequence[bytes], after_seconds: float = 0.0, pause_seconds: float = 0.0
) -> ServiceFactory:
    """A producer that runs beside the service under test, with pauses between its messages."""

    async def publish(ports: Ports, writer: Lane) -> None:
        await ports.clock.sleep(after_seconds)
        await writer.acquire()
        for number, payload in enumerate(payloads):
            identity = message_id(stream_of(lane), lane, "fed", writer.epoch, number)
            await writer.publish(identity, payload)
            if pause_seconds:
                await ports.clock.sleep(pause_seconds)

    def build(ports: Ports) -> Tasks:
        writer = Lane(ports, lane)
        return Tasks([publish(ports, writer)], [writer])

    return build


def let_pass(world: World, seconds: float) -> None:
    """Run whatever was added for some virtual time, then end it."""
    name = f"watch {len(world.bus.journal)}"

    def sleep(ports: Ports) -> Coroutine[Any, Any, None]:
        return ports.clock.sleep(seconds)

    world.add(name, lambda ports: Tasks([sleep(ports)]))
    world.run(until=[name])


def payloads_of(world: World, lane: str) -> list[bytes]:
    """What a lane says to its readers."""
    return [stored.message.payload for stored in world.bus.contents(lane)]


def bars_lane(session: Session, universe: str) -> str:
    """The subject of a universe's bars."""
    return lanes.bars_lane(session.portfolio, session.portfolio.universe(universe))


def signals_lane(session: Session, model: str) -> str:
    """The subject of a model's signals."""
    return lanes.signals_lane(session.portfolio, model)


def orders_lane(session: Session) -> str:
    """The subject of the account's decisions."""
    return lanes.orders_lane(session.portfolio)


def fills_lane(session: Session) -> str:
    """The subject of the account's fills."""
    return lanes.fills_lane(session.portfolio, session.portfolio.account_names[0])


def feed_chapter(world: World, session: Session) -> None:
    """What risk opens a session's log with."""
    message = chapter_message(first_chapter(session), 1)

    async def publish(writer: Lane) -> None:
        await writer.acquire()
        await writer.publish(message.id, message.payload)

    def build(ports: Ports) -> Tasks:
        writer = Lane(ports, message.subject)
        return Tasks([publish(writer)], [writer])

    world.add("feeder of chapters", build)
    world.run(until=["feeder of chapters"])


def feed_bars(world: World, session: Session) -> None:
    """All bars of all universes, warm-up first."""
    for universe in session.portfolio.universes:
        feed(world, bars_lane(session, universe.name), bars_of(session, universe))


def feed_decisions(world: World, session: Session) -> None:
    """A decision without orders at each close of the schedule."""
    feed(world, orders_lane(session), decisions(session, {}))


def bars_of(session: Session, universe: Universe) -> list[bytes]:
    """All cross-sections of a universe, warm-up first."""
    history = session.histories[universe.name]
    section = partial(history.bars.closed, universe=universe.name, timeframe=universe.timeframe)
    opens = history.open_times.tolist()
    return [encode_closed_bars(section(row, open_time=at)) for row, at in enumerate(opens)]


def feed_signals(world: World, session: Session) -> None:
    """The weights of all models at the closes from the session's start on."""
    for model in session.portfolio.models:
        closes = session.schedule.closes_of(model.universe).tolist()
        messages = [signals_of(session, model.name, close) for close in closes]
        feed(world, signals_lane(session, model.name), [encode_signals(m) for m in messages])


def signals_of(session: Session, model: str, close_time: int) -> Signals:
    """A model's signals at a close, its action left out."""
    universe = session.portfolio.universe(
        next(m.universe for m in session.portfolio.models if m.name == model)
    )
    row, scan = session.histories[universe.name].bars.at(close_time), session.scans[model]
    pairs = zip(universe.symbols, scan.weights[row].tolist(), strict=True)
    rows = tuple(
        SignalRow(symbol, weight, 1.0, Action.HOLD, SignalReason.NONE) for symbol, weight in pairs
    )
    state = tuple(scan.states[row].tolist())
    return Signals(session.portfolio.name, model, "1.0.0", close_time, rows, state, "bars-id")


def report(
    session: Session, number: int, events: Sequence[FillEvent] = (), closed: int | None = None
) -> bytes:
    """What execution publishes."""
    portfolio = session.portfolio
    return encode_fills_report(
        FillsReport(portfolio.name, portfolio.account_names[0], number, tuple(events), closed)
    )


def order(session: Session, symbol: str, lots: int, index: int) -> ApprovedOrder:
    """An order decided at the schedule's close `index`, good until the symbol's next."""
    portfolio, decided_at = session.portfolio, int(session.schedule.close_times[index])
    universe = next(u for u in portfolio.universes if symbol in u.symbols)
    instrument = universe.instruments[universe.symbols.index(symbol)]
    return ApprovedOrder(
        order_id(portfolio.run, portfolio.name, portfolio.account_names[0], symbol, decided_at),
        symbol,
        lots,
        (lots,),
        instrument.price(_last_close(session, universe, symbol, decided_at)),
        decided_at,
        session.schedule.next_close(universe.name, decided_at) or 0,
    )


def _last_close(session: Session, universe: Universe, symbol: str, at: int) -> float:
    bars = session.histories[universe.name].bars
    closes = bars.close[bars.close_times <= at, universe.symbols.index(symbol)]
    return float(closes[~np.isnan(closes)][-1])


def decisions(
    session: Session,
    orders: dict[int, list[ApprovedOrder]],
    cancels: dict[int, list[ApprovedOrder]] | None = None,
) -> list[bytes]:
    """A decision at each close of the schedule, with hand-made orders and cancels by its index."""
    portfolio = session.portfolio
    return [
        encode_decision(
            Decision(
                portfolio=portfolio.name,
                close_time=close_time,
                equity=float(portfolio.initial_cash),
                gross_exposure=0.0,
                drawdown_factor=1.0,
                halted=False,
                reduce_only=False,
                orders=tuple(orders.get(index, ())),
                cancels=tuple(Cancel(o.order_id, o.symbol) for o in (cancels or {}).get(index, ())),
                crosses=(),
                symbols=(),
            )
        )
        for index, close_time in enumerate(session.schedule.close_times.tolist())
    ]
