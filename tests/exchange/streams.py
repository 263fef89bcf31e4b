"""Binance's WebSocket streams of candles, as far as a client that subscribes needs them."""

from collections.abc import Callable, Sequence

from aiohttp import web

from tests.exchange.faults import Fault
from tests.exchange.holdings import held
from tests.exchange.shapes import binance_kline, binance_stream


class Streams:
    """Connections and what each subscribed to. told : messages sent so far."""

    def __init__(self, now: Callable[[], int], faults: Sequence[Fault]) -> None:
        self._now, self._faults = now, faults
        self._subscribed: dict[web.WebSocketResponse, list[str]] = {}
        self.told = 0

    @property
    def subscriptions(self) -> int:
        """How many streams somebody follows."""
        return sum(map(len, self._subscribed.values()))

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, until it ends."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._subscribed[socket] = []
        try:
            async for message in socket:
                asked = message.json()
                if asked["method"] == "SUBSCRIBE":
                    self._subscribed[socket] += asked["params"]
                await socket.send_json({"result": None, "id": asked["id"]})
        finally:
            del self._subscribed[socket]
        return socket

    async def tell(self) -> None:
        """Send each stream its candle of this moment; at a close, the one that closes."""
        now = self._now()
        for socket, streams in list(self._subscribed.items()):
            for stream in streams:
                symbol, length = binance_stream(stream)
                close_time = -(-now // length) * length
                row = held(self._faults, symbol, close_time, length, now)
                if row is not None:
                    await socket.send_json(binance_kline(stream, row, length, now))
                    self.told += 1

    async def drop(self) -> None:
        """End every connection."""
        for socket in list(self._subscribed):
            await socket.close()
