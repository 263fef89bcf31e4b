"""The loopback exchange: Binance's, Kraken's and Coinbase's REST on one port of this machine.

It lives in the time that it is told, holds candles that are a function of that time, does wrong
what is scripted, and writes down each request, so that a test can see who came too early.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web

from tests.exchange.faults import REQUEST_KINDS, Fault, Kind
from tests.exchange.holdings import told
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.exchange.shapes import MINUTE, SHAPES, Shape
from tests.exchange.streams import Streams


@dataclass(frozen=True)
class Request:
    """One request as it came. too_early : before the end of a Retry-After that was told."""

    time: int
    venue: str
    path: str
    status: int
    too_early: bool


class LoopbackExchange:
    """The server. now : its clock, UTC ns. faults : may be changed at any time."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.faults: list[Fault] = []
        self.streams = Streams(lambda: self.now(), self.faults)
        self.requests: list[Request] = []
        self.hanging = 0
        self.port = 0
        self._closed: tuple[int, int] = (0, 0)  # told at, until
        self._weights: list[tuple[int, int]] = []
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0, routes: list[web.RouteDef] | None = None) -> Self:
        """Listen on a port of 127.0.0.1 (0 = any free one)."""
        app = web.Application()
        prices = "/api/v3/brokerage/market/products"
        app.add_routes(
            [
                web.get("/api/v3/exchangeInfo", self._handler("binance", markets=True)),
                web.get("/api/v3/klines", self._handler("binance")),
                web.get("/0/public/AssetPairs", self._handler("kraken", markets=True)),
                web.get("/0/public/OHLC", self._handler("kraken")),
                web.get(prices, self._handler("coinbase", markets=True)),
                web.get(prices + "/{product_id}/candles", self._handler("coinbase")),
                web.get("/ws/{connection}", self.streams.handle),
                *(routes or []),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def urls(self, venue: str) -> dict[str, Any]:
        """What stands in place of ccxt's `urls["api"]` of a venue."""
        root = f"http://127.0.0.1:{self.port}"
        if venue == "binance":
            streams = {"spot": f"ws://127.0.0.1:{self.port}/ws"}
            return {"public": f"{root}/api/v3", "ws": streams}
        return {"public": root} if venue == "kraken" else {"rest": root}

    @property
    def too_early(self) -> list[Request]:
        """Requests that came while the exchange had told to wait."""
        return [request for request in self.requests if request.too_early]

    def _handler(self, venue: str, markets: bool = False) -> Callable[[web.Request], Any]:
        shape = SHAPES[venue]

        async def handle(request: web.Request) -> web.StreamResponse:
            query = {**request.query, **request.match_info}
            name = query.get("symbol") or query.get("pair") or query.get("product_id")
            symbol = shape.symbols.get(name or "")
            fault = self._fault(symbol)
            status, body = self._answer(shape, query, markets, symbol, fault)
            self._note(venue, request.path, status)
            if fault is not None and fault.kind is Kind.HANG:
                await self._hang()
            if fault is not None and fault.kind is Kind.OUTAGE:
                assert request.transport is not None
                request.transport.abort()
            headers = self._headers(venue, 20 if markets else 2, status, fault)
            return web.Response(
                status=status, text=body, content_type="application/json", headers=headers
            )

        return handle

    def _fault(self, symbol: str | None) -> Fault | None:
        on = (f for f in self.faults if f.kind in REQUEST_KINDS and f.befalls(symbol, self.now()))
        return next(on, None)

    def _answer(
        self,
        shape: Shape,
        query: Mapping[str, str],
        markets: bool,
        symbol: str | None,
        fault: Fault | None,
    ) -> tuple[int, str]:
        if fault is not None:
            return _FAULTY[fault.kind]
        if markets:
            return 200, json.dumps(shape.markets(query))
        if symbol is None:
            return shape.unknown[0], json.dumps(shape.unknown[1])
        asked = shape.asked(query)
        return 200, json.dumps(shape.page(symbol, told(self.faults, asked, self.now())))

    def _note(self, venue: str, path: str, status: int) -> None:
        now = self.now()
        told_at, until = self._closed
        # What was on its way when the answer was told could not know of it.
        self.requests.append(Request(now, venue, path, status, told_at < now < until))

    def _headers(self, venue: str, weight: int, status: int, fault: Fault | None) -> dict[str, str]:
        now = self.now()
        headers = {"Date": formatdate(now // NANOSECONDS_PER_SECOND, usegmt=True)}
        if venue == "binance":
            self._weights = [(t, w) for t, w in self._weights if t > now - MINUTE]
            self._weights.append((now, weight))
            on = (f for f in self.faults if f.kind is Kind.CROWDED and f.befalls(f.symbol, now))
            headers["X-MBX-USED-WEIGHT-1M"] = str(self.weight_used + sum(f.rows for f in on))
        if fault is not None and status in (418, 429):
            seconds = -(-(fault.end - now) // NANOSECONDS_PER_SECOND)
            headers["Retry-After"] = str(seconds)
            self._closed = now, max(self._closed[1], now + seconds * NANOSECONDS_PER_SECOND)
        return headers

    @property
    def weight_used(self) -> int:
        """Of Binance's weight, in the minute up to now."""
        return sum(w for t, w in self._weights if t > self.now() - MINUTE)

    async def _hang(self) -> None:
        self.hanging += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.hanging -= 1


_FAULTY = {
    Kind.OUTAGE: (0, ""),
    Kind.HANG: (0, ""),
    Kind.ODD: (200, '{"odd":{"candles":1}}'),
    Kind.REFUSED: (400, '{"code":-1121,"msg":"Invalid symbol."}'),
    Kind.UNAVAILABLE: (503, "upstream is away"),
    Kind.THROTTLED: (429, '{"code":-1003,"msg":"Too many requests."}'),
    Kind.BANNED: (418, '{"code":-1003,"msg":"Way too many requests; IP banned."}'),
    Kind.RATE_ERROR: (200, '{"error":["EAPI:Rate limit exceeded"]}'),
    Kind.GARBAGE: (200, '[[17000, "1.0", {"half'),
}
