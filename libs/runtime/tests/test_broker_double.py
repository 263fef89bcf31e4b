"""The broker double remembers, repeats itself, and refuses what its mode refuses."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Acknowledgement, BrokerUnknown, Ports
from stratvector.runtime.simulation.broker_double import BrokerDouble, Identity
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, Loss
from stratvector.runtime.simulation.world import World
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.logged import Logged
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.ticks import TickBars

Play = Callable[..., World]
ORDER = ApprovedOrder(
    "o1", "BTC", lots=3, parts=(3,), reference_price=Decimal(10), decided_at=100, expires_at=200
)


def bars(close_time: int, open_price: float, symbol: str = "BTC") -> TickBars:
    v = np.array([open_price])
    section = ClosedBars("crypto", "4H", close_time, (symbol,), v, v, v, v, v)
    return TickBars(close_time, (Logged(section, "b1", 1),))


def at_the_open(order: ApprovedOrder, bar: ClosedBars) -> FillEvent | None:
    price = float(bar.open[bar.symbols.index(order.symbol)])
    if np.isnan(price):
        return None
    return FillEvent(
        FillKind.FILLED,
        order.order_id,
        order.symbol,
        lots=order.lots,
        price=Decimal(price),
        known_time=bar.close_time,
    )


def test_an_accepted_order_fills_at_the_open_of_the_next_bar(play: Play) -> None:
    broker = BrokerDouble(at_the_open)

    async def script(ports: Ports) -> None:
        assert await broker.send(ORDER, epoch=1) == Acknowledgement(accepted=True)
        assert not await broker.events_until(bars(100, 9.0)), "its own close fills nothing"
        (event,) = await broker.events_until(bars(200, 11.0))
        assert (event.kind, event.lots, event.price) == (FillKind.FILLED, 3, Decimal(11))
        assert await broker.events_until(bars(200, 12.0)) == (event,), "asked again"
        assert broker.fills == [event]

    play(script)


@pytest.mark.parametrize(
    "next_bars", [bars(200, np.nan), bars(200, 11.0, symbol="ETH"), bars(300, 11.0)]
)
def test_an_order_without_a_bar_in_time_expires(play: Play, next_bars: TickBars) -> None:
    broker = BrokerDouble(at_the_open)

    async def script(ports: Ports) -> None:
        await broker.send(ORDER, epoch=1)
        (event,) = await broker.events_until(next_bars)
        assert event.kind is FillKind.EXPIRED

    play(script)


def test_an_order_waits_for_its_bar_until_it_expires(play: Play) -> None:
    broker = BrokerDouble(at_the_open)

    async def script(ports: Ports) -> None:
        await broker.send(replace(ORDER, expires_at=300), epoch=1)
        assert not await broker.events_until(bars(200, np.nan))
        (event,) = await broker.events_until(bars(300, 12.0))
        assert event.price == Decimal(12)

    play(script)


def test_a_rejection_is_final_and_can_be_asked_for(play: Play) -> None:
    broker = BrokerDouble(at_the_open, refuse=lambda order: "no margin")

    async def script(ports: Ports) -> None:
        assert await broker.send(ORDER, epoch=1) == Acknowledgement(False, "no margin")
        assert await broker.find(ORDER) == Acknowledgement(False, "no margin")
        assert not await broker.events_until(bars(200, 11.0))
        assert not broker.accepted

    play(script)


def test_a_cancel_can_be_asked_for_again(play: Play) -> None:
    broker = BrokerDouble(at_the_open)

    async def script(ports: Ports) -> None:
        assert not await broker.cancel("o1")
        await broker.send(ORDER, epoch=1)
        assert await broker.cancel("o1")
        assert await broker.cancel("o1")
        assert not await broker.events_until(bars(200, 11.0))

    play(script)


@pytest.mark.parametrize(("loss", "taken"), [("request", 0), ("answer", 1)])
def test_no_answer_means_unknown_and_find_tells(play: Play, loss: Loss, taken: int) -> None:
    broker = BrokerDouble(at_the_open)

    async def script(ports: Ports) -> None:
        with pytest.raises(BrokerUnknown):
            await broker.send(ORDER, epoch=1)
        assert len(broker.accepted) == taken
        assert (await broker.find(ORDER) is not None) == bool(taken)

    play(script, [FaultPlan("script", "broker send", 1, Fate(loss=loss))])


@pytest.mark.parametrize(
    ("identity", "while_open", "later"),
    [
        (Identity.UNIQUE_FOR_EVER, 1, 1),
        (Identity.UNIQUE_WHILE_OPEN, 1, 2),
        (Identity.NOT_UNIQUE, 2, 3),
    ],
)
def test_a_second_order_with_an_id_is_refused_as_far_as_the_mode_goes(
    play: Play, identity: Identity, while_open: int, later: int
) -> None:
    broker = BrokerDouble(at_the_open, identity)

    async def script(ports: Ports) -> None:
        await broker.send(ORDER, epoch=1)
        await broker.send(ORDER, epoch=1)
        assert len(broker.accepted) == while_open
        await broker.events_until(bars(200, 11.0))
        assert await broker.send(ORDER, epoch=1) == Acknowledgement(accepted=True)
        assert len(broker.accepted) == later
        assert broker.accepted_twice() == ([] if later == 1 else ["o1"])
        assert broker.sent == ["o1"] * 3

    play(script)


def test_an_accepted_order_survives_the_crash_of_its_sender() -> None:
    broker = BrokerDouble(at_the_open)

    async def sends_unless_known(ports: Ports) -> None:
        if await broker.find(ORDER) is None:
            await broker.send(ORDER, epoch=1)

    world = World(plans=[CrashPlan("execution", "broker send", 1, "after")])
    world.add("execution", lambda ports: Tasks([sends_unless_known(ports)]))
    world.run(until=["execution"])
    assert broker.accepted == ["o1"]
