"""Readers hand over exactly what belongs to one close, or say that the lane is out of step."""

from collections.abc import Callable

import numpy as np
import pytest

from stratvector.contracts.codecs import (
    encode_closed_bars,
    encode_decision,
    encode_fills_report,
    encode_signals,
)
from stratvector.runtime.bars_reader import BarsReader, Due, UniverseReader
from stratvector.runtime.fills_reader import FillsReader
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.progress import ProgressReader
from stratvector.runtime.readers import OrdersReader
from stratvector.runtime.signals_reader import SignalsReader
from stratvector.runtime.simulation.world import World
from stratvector.runtime.unfit_messages import OtherSymbols, OutOfStep
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillsReport
from stratvector.trading.lanes import fills_lane, orders_lane, signals_lane
from stratvector.trading.orders import Decision
from stratvector.trading.reasons import SignalReason
from stratvector.trading.signals import Action, SignalRow, Signals
from stratvector.trading.unfit import Absurd
from tests.sessions.scripted_sessions import Script, scripted_session

Play = Callable[..., World]
PORTFOLIO = scripted_session(
    Script(closes={"A": [1.0, 1.0], "B": [1.0, 1.0]}, weights={"model": {"A": [0.0]}}, slow=("B",))
).portfolio
FAST, SLOW = "bars.replay.1.fast.1H", "bars.replay.1.slow.2H"


async def store(ports: Ports, subject: str, *payloads: bytes) -> None:
    """What another service published on a lane."""
    lane = Lane(ports, subject)
    await lane.acquire()
    for number, payload in enumerate(payloads):
        await lane.publish(f"{subject} {number}", payload)


def bars(
    close_time: int,
    next_close: int = 0,
    universe: str = "fast",
    symbols: tuple[str, ...] = ("A",),
) -> bytes:
    timeframe = "1H" if universe == "fast" else "2H"
    one = np.ones(len(symbols))
    values = (one, one, one, one, one)
    return encode_closed_bars(
        ClosedBars(universe, timeframe, close_time, symbols, *values, next_close=next_close)
    )


async def walked(reader: BarsReader) -> list[tuple[int, tuple[str, ...]]]:
    """The closes that a reader finds, each read before the next is asked for."""
    closes = []
    while (due := await reader.due()) is not None:
        closes.append((due.close_time, due.universes))
        await reader.at(due.close_time, due.universes)
    return closes


def signals(close_time: int) -> bytes:
    rows = (SignalRow("A", 0.0, 1.0, Action.HOLD, SignalReason.NONE),)
    return encode_signals(Signals("scripted", "model", "1.0.0", close_time, rows, (), "bars-id"))


def decision(close_time: int) -> bytes:
    return encode_decision(
        Decision("scripted", close_time, 1.0, 0.0, 1.0, False, False, (), (), (), ())
    )


def report(number: int, closed: int | None = None) -> bytes:
    return encode_fills_report(FillsReport("scripted", "paper", number, (), closed))


def test_bars_of_a_close_come_from_the_universes_that_close(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, FAST, bars(1, 2), bars(2, 3), bars(3))
        await store(ports, SLOW, bars(2, 0, "slow", ("B",)))
        reader = BarsReader(ports, PORTFOLIO, 1)
        assert [r.noun.universe for r in await reader.at(1, ("fast",))] == ["fast"]
        both = await reader.at(2, ("fast", "slow"))
        assert [(r.noun.universe, r.noun.close_time) for r in both] == [("fast", 2), ("slow", 2)]
        assert (both[0].id, both[0].sequence) == (f"{FAST} 1", 3)

    play(script)


def test_the_closes_of_a_portfolio_are_those_that_the_bars_tell(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, FAST, bars(1, 2), bars(2, 4), bars(4, 5), bars(5))
        slow = [bars(*closes, "slow", ("B",)) for closes in ((2, 5), (5, 9), (9, 0))]
        await store(ports, SLOW, *slow)
        for start in (0, 1):
            assert await walked(BarsReader(ports, PORTFOLIO, start)) == [
                (1, ("fast",)),
                (2, ("fast", "slow")),
                (4, ("fast",)),
                (5, ("fast", "slow")),
                (9, ("slow",)),
            ]

    play(script)


def test_bars_before_the_start_are_warm_up_and_passed_over(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, FAST, *(bars(close, close + 1) for close in range(1, 7)), bars(7))
        await store(ports, SLOW, bars(2, 4, "slow", ("B",)), bars(4, 0, "slow", ("B",)))
        reader = BarsReader(ports, PORTFOLIO, 6)
        assert await walked(reader) == [(6, ("fast",)), (7, ("fast",))]

    play(script)


def test_a_close_is_known_before_its_bars_are_there(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, FAST, bars(1, 4))
        await store(ports, SLOW, bars(2, 0, "slow", ("B",)))
        reader = BarsReader(ports, PORTFOLIO, 1)
        await reader.at(1, ("fast",))
        await reader.at(2, ("slow",))
        assert await reader.due() == Due(4, ("fast",))
        assert not await reader.look(("fast",), 0.5)

    play(script)


def test_bars_that_lack_the_close_asked_for_are_out_of_step(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, FAST, bars(1, 3), bars(3))
        reader = BarsReader(ports, PORTFOLIO, 1)
        await reader.at(1, ("fast",))
        with pytest.raises(
            OutOfStep, match=r"bars\.replay\.1\.fast\.1H .* close 2, .* close 3"
        ) as raised:
            await reader.at(2, ("fast",))
        assert (raised.value.asked, raised.value.found) == (2, 3)

    play(script)


@pytest.mark.parametrize("told", [2, 4, 0])
def test_a_close_that_the_message_before_did_not_tell_is_refused(play: Play, told: int) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, FAST, bars(1, told), bars(3))
        reader = UniverseReader(ports, PORTFOLIO, PORTFOLIO.universes[0], 1)
        await reader.next()
        with pytest.raises(Absurd, match=f"close_time is 3 ns, .* the next close is {told}"):
            await reader.next()

    play(script)


def test_bars_of_other_symbols_are_refused(play: Play) -> None:
    """Readers take columns by place, so another order would be another market."""

    async def script(ports: Ports) -> None:
        await store(ports, FAST, bars(1, symbols=("Z",)))
        reader = BarsReader(ports, PORTFOLIO, 1)
        with pytest.raises(OtherSymbols, match=r"bars\.replay\.1\.fast\.1H .* A; .* Z"):
            await reader.at(1, ("fast",))

    play(script)


def test_signals_of_a_close_must_be_the_next_of_their_lane(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, signals_lane(PORTFOLIO, "model"), signals(1), signals(3))
        reader = SignalsReader(ports, PORTFOLIO, "model")
        assert (await reader.at(1)).noun.close_time == 1
        with pytest.raises(OutOfStep, match=r"signals\.replay\.1\.scripted\.model"):
            await reader.at(2)

    play(script)


def test_signals_that_a_decision_went_without_are_passed_over_whether_they_came_or_not(
    play: Play,
) -> None:
    async def script(ports: Ports) -> None:
        lane = signals_lane(PORTFOLIO, "model")
        await store(ports, lane, signals(1), signals(2), signals(4), signals(5))
        reader = SignalsReader(ports, PORTFOLIO, "model")
        reader.pass_over(1)
        assert (await reader.at(2)).noun.close_time == 2
        reader.pass_over(3)  # which never came
        assert (await reader.at(4)).noun.close_time == 4
        with pytest.raises(OutOfStep):
            await reader.at(6)

    play(script)


@pytest.mark.parametrize("came", [[2, 1, 3], [1, 1, 3], [4, 3]])
def test_late_signals_out_of_their_order_halt_as_others_do(play: Play, came: list[int]) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, signals_lane(PORTFOLIO, "model"), *map(signals, came))
        reader = SignalsReader(ports, PORTFOLIO, "model")
        reader.pass_over(1)
        reader.pass_over(2)
        with pytest.raises((OutOfStep, Absurd)):
            await reader.at(3)

    play(script)


def test_signals_are_late_at_their_deadline_and_not_before(play: Play) -> None:
    async def script(ports: Ports) -> None:
        clock, lane = ports.clock, signals_lane(PORTFOLIO, "model")
        await store(ports, lane, signals(1))
        reader, begun = SignalsReader(ports, PORTFOLIO, "model"), clock.monotonic_seconds()
        # Time that has passed makes nothing late that is in the log.
        assert await reader.by(1, begun - 300.0) is not None
        assert await reader.by(2, begun + 7.0) is None
        assert clock.monotonic_seconds() - begun == pytest.approx(7.0)

    play(script)


def test_a_decision_is_never_taken_for_that_of_another_close(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, orders_lane(PORTFOLIO), decision(1), decision(2))
        reader = OrdersReader(ports, PORTFOLIO)
        with pytest.raises(OutOfStep, match=r"orders\.replay\.1\.scripted"):
            await reader.at(2)

    play(script)


def test_whoever_follows_a_lane_takes_whatever_comes_next(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, orders_lane(PORTFOLIO), decision(1), decision(5))
        reader = ProgressReader(ports, PORTFOLIO, {1, 5})
        assert [(await reader.next()).close_time for _ in range(2)] == [1, 5]

    play(script)


def test_fills_come_up_to_the_report_that_closes(play: Play) -> None:
    async def script(ports: Ports) -> None:
        reports = [report(0, 1), report(1), report(2), report(3, 2), report(4)]
        await store(ports, fills_lane(PORTFOLIO, PORTFOLIO.account_names[0]), *reports)
        reader = FillsReader(ports, PORTFOLIO)
        assert [r.noun.number for r in await reader.until(1)] == [0]
        assert [r.noun.number for r in await reader.until(2)] == [1, 2, 3]

    play(script)


def test_fills_that_never_closed_the_close_asked_for_are_out_of_step(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(
            ports, fills_lane(PORTFOLIO, PORTFOLIO.account_names[0]), report(0, 1), report(1, 3)
        )
        reader = FillsReader(ports, PORTFOLIO)
        await reader.until(1)
        with pytest.raises(OutOfStep, match=r"fills\.replay\.1\.scripted\.paper"):
            await reader.until(2)

    play(script)
