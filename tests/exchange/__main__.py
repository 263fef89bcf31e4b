"""`python -m tests.exchange --port 0`: the loopback exchange as a process of its own.

It prints its port. `PUT /control/clock` with {"now": UTC ns, "rate": 0} tells it the time; a rate
above 0 lets it run on from there, in exchange seconds per second. `PUT /control/faults` takes the
list of faults, `POST /control/streams` sends the WebSockets a candle, and `GET /control/requests`
tells what came.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import asdict

from aiohttp import web

from tests.exchange.faults import Fault
from tests.exchange.server import LoopbackExchange


class ToldClock:
    """The time that was told, running on at a rate."""

    def __init__(self) -> None:
        self.tell(0, 0.0)

    def tell(self, now: int, rate: float) -> None:
        self._told, self._rate, self._told_at = now, rate, time.monotonic_ns()

    def now(self) -> int:
        return self._told + round((time.monotonic_ns() - self._told_at) * self._rate)


async def serve(port: int) -> None:
    clock = ToldClock()
    exchange = LoopbackExchange(clock.now)

    async def put_clock(request: web.Request) -> web.Response:
        told = await request.json()
        clock.tell(int(told["now"]), float(told.get("rate", 0.0)))
        return web.json_response({"now": clock.now()})

    async def put_faults(request: web.Request) -> web.Response:
        exchange.faults[:] = [Fault.from_json(each) for each in await request.json()]
        return web.json_response({"faults": len(exchange.faults)})

    async def tell_streams(request: web.Request) -> web.Response:
        await exchange.streams.tell()
        return web.json_response({"told": exchange.streams.told})

    async def get_requests(request: web.Request) -> web.Response:
        return web.json_response([asdict(each) for each in exchange.requests])

    await exchange.start(
        port,
        [
            web.put("/control/clock", put_clock),
            web.put("/control/faults", put_faults),
            web.post("/control/streams", tell_streams),
            web.get("/control/requests", get_requests),
        ],
    )
    sys.stdout.write(f"{exchange.port}\n")
    sys.stdout.flush()
    try:
        await asyncio.Event().wait()
    finally:
        await exchange.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    try:
        asyncio.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        sys.exit(0)
