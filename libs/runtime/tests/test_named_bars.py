"""Bars as somebody names them who has used them: exactly those, or the reader halts."""

from collections.abc import Callable

import numpy as np
import pytest

from stratvector.contracts.codecs import encode_closed_bars
from stratvector.runtime.bars_reader import BarsReader
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.world import World
from stratvector.runtime.unfit_messages import OtherBars, OutOfStep, UnnamedBars
from stratvector.trading.bars import ClosedBars
from stratvector.trading.ticks import Tick
from stratvector.trading.used_bars import ABSENT, UsedBars
from tests.sessions.scripted_sessions import Script, scripted_session

Play = Callable[..., World]
PORTFOLIO = scripted_session(
    Script(closes={"A": [1.0, 1.0], "B": [1.0, 1.0]}, weights={"model": {"A": [0.0]}}, slow=("B",))
).portfolio
FAST, SLOW = "bars.replay.1.fast.1H", "bars.replay.1.slow.2H"


async def store(ports: Ports, universe: str, closes: list[int], last: int = 0) -> None:
    """Bars of closes whose messages are named after them; the last one promises `last`."""
    lane = Lane(ports, FAST if universe == "fast" else SLOW)
    await lane.acquire()
    timeframe, symbols = ("1H", ("A",)) if universe == "fast" else ("2H", ("B",))
    v = np.ones(1)
    for close, following in zip(closes, [*closes[1:], last], strict=True):
        section = ClosedBars(
            universe, timeframe, close, symbols, v, v, v, v, v, next_close=following
        )
        await lane.publish(f"{universe} {close}", encode_closed_bars(section))


def test_late_bars_come_before_those_of_the_close_and_each_once(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, "fast", [1, 2, 3, 4])
        await store(ports, "slow", [2, 4])
        reader = BarsReader(ports, PORTFOLIO, 1)
        first = await reader.named(Tick(1, {"fast": "fast 1"}))
        assert (first.universes, first.absent) == (("fast",), ())
        second = await reader.named(Tick(2, {"fast": "fast 2", "slow": ABSENT}))
        assert (second.universes, second.absent) == (("fast",), ("slow",))
        third = await reader.named(Tick(3, {"fast": "fast 3"}, (UsedBars("slow", "slow 2"),)))
        assert [one.id for one in third.logged] == ["slow 2", "fast 3"]
        last = await reader.named(Tick(4, {"fast": "fast 4", "slow": "slow 4"}))
        assert last.universes == ("fast", "slow")
        assert await reader.have_ended(4)

    play(script)


@pytest.mark.parametrize(
    ("tick", "error", "why"),
    [
        (Tick(1, {"fast": "fast 2"}), OtherBars, "fast 2 are said .* is fast 1"),
        (Tick(2, {"fast": "fast 1", "slow": "slow 2"}), OutOfStep, "close 2, .* of close 1"),
        (Tick(2, {"slow": "slow 2"}), UnnamedBars, "fast.1H is due, and neither"),
        (Tick(1, {"fast": "fast 1", "slow": "slow 2"}), OutOfStep, "close 1, .* of close 2"),
        (
            Tick(1, {"slow": ABSENT}, (UsedBars("fast", "fast 1"),)),
            OutOfStep,
            "close 1, .* of close 1",
        ),
    ],
)
def test_what_is_named_otherwise_halts_the_reader(
    tick: Tick, error: type[Exception], why: str, play: Play
) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, "fast", [1, 2])
        await store(ports, "slow", [2])
        with pytest.raises(error, match=why):
            await BarsReader(ports, PORTFOLIO, 1).named(tick)

    play(script)


def test_a_universe_that_does_not_close_is_not_absent(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, "fast", [1, 2, 3])
        await store(ports, "slow", [2, 4])
        reader = BarsReader(ports, PORTFOLIO, 1)
        await reader.named(Tick(1, {"fast": "fast 1"}))
        await reader.named(Tick(2, {"fast": "fast 2", "slow": "slow 2"}))
        with pytest.raises(UnnamedBars, match=r"slow.2H is called absent, but it does not close"):
            await reader.named(Tick(3, {"fast": "fast 3", "slow": ABSENT}))

    play(script)


def test_a_session_has_not_ended_while_a_silent_universe_may_close_again(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports, "fast", [1, 2])
        await store(ports, "slow", [2], last=4)
        reader = BarsReader(ports, PORTFOLIO, 1)
        await reader.named(Tick(1, {"fast": "fast 1"}))
        assert reader.promise_after(1)
        await reader.named(Tick(2, {"fast": "fast 2", "slow": ABSENT}))
        assert not await reader.have_ended(2)
        assert not reader.promise_after(2)

    play(script)
