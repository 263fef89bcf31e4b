"""Whether a venue has what a change names: it says so, or nobody can say it now."""

import asyncio
import time

import pytest

from stratvector.market.live import LiveSource
from stratvector.runtime.jetstream.clock import AsyncClock
from stratvector.runtime.run_clock import RunClock
from stratvector.services.market_data import venues
from stratvector.services.market_data.universe_watch import CantSay
from stratvector.services.market_data.venues import FeedUnavailable, Venues
from tests.exchange.faults import Fault, Kind
from tests.exchange.server import LoopbackExchange

AWAY = Fault(Kind.OUTAGE, 0, 2**63)


def source(exchange: LoopbackExchange, *symbols: str) -> LiveSource:
    return LiveSource("coins", "binance", symbols, "1M", 3, urls=exchange.urls("binance"))


def test_a_venue_that_does_not_answer_is_not_waited_for_and_asked_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play() -> None:
        exchange = await LoopbackExchange(time.time_ns).start()
        exchange.faults.append(AWAY)
        connections = Venues(RunClock(AsyncClock()), seed=1)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(venues, "CHECK_SECONDS", 0.2)
                with pytest.raises(CantSay, match=r"^universe coins: binance: "):
                    await connections.check(source(exchange, "BTC-USDT"))
            exchange.faults.clear()
            await connections.check(source(exchange, "BTC-USDT"))
            with pytest.raises(FeedUnavailable, match="binance trades no 'BTC-USD'"):
                await connections.check(source(exchange, "BTC-USD"))
            assert connections.trouble() == ""
        finally:
            await exchange.close()

    asyncio.run(play())
