"""/ws tells states first and then what happens, to this console's clients only."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stratvector.services.gateway.events import QUEUE_MAX, Event

InHouse = Callable[..., None]


def address(house: Any) -> str:
    return f"{house.url.replace('http', 'ws')}/ws"


def test_a_client_gets_the_states_and_then_each_event(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        async with connect(address(house)) as client:
            portfolio = house.flow.session.portfolio
            lanes = ["bars"] * len(portfolio.universes) + ["signals"] * len(portfolio.models)
            expected = sorted([*lanes, "equity", "positions"])
            types = [json.loads(await client.recv())["type"] for _ in expected]
            assert sorted(types) == expected
            house.context.hub.publish(Event("fills", "", 1, {"order_id": "x"}))
            fill = json.loads(await client.recv())
            assert fill == {
                "type": "fills",
                "close_time": "1970-01-01T00:00:00.000000001Z",
                "order_id": "x",
            }

    in_house(ask)


def test_a_client_that_does_not_read_is_told_what_it_lost(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        body, total = {"text": "x" * 10_000}, 20 * QUEUE_MAX
        async with connect(address(house), max_queue=1) as client:
            await client.recv()
            for number in range(total):
                house.context.hub.publish(Event("fills", str(number), 0, body | {"number": number}))
                if number % QUEUE_MAX == 0:
                    await asyncio.sleep(0.01)
            received, lost, newest = 0, 0, -1
            while newest < total - 1:
                message = json.loads(await client.recv())
                lost += message.get("count", 0)
                if message["type"] == "fills":
                    assert message["number"] > newest
                    received, newest = received + 1, message["number"]
            assert lost > 0
            assert received + lost == total

    in_house(ask)


@pytest.mark.parametrize("origin", ["http://evil.com", "http://127.0.0.1:1", "null"])
def test_another_origin_is_refused_with_403(in_house: InHouse, origin: str) -> None:
    async def ask(house: Any) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address(house), additional_headers={"Origin": origin}):
                pass
        assert refused.value.response.status_code == 403
        async with connect(address(house), additional_headers={"Origin": house.url}) as own:
            await own.recv()

    in_house(ask)


def test_another_host_and_another_origin_are_refused_over_http_too(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        named = await house.client.get("/api/monitoring", headers={"Host": "evil.com"})
        assert named.status_code == 403
        headers = {"Origin": "http://evil.com"}
        posted = await house.client.post("/api/backtesting", json={}, headers=headers)
        assert posted.status_code == 403
        assert posted.json()["detail"] == "origin 'http://evil.com' is not this console's"
        assert (await house.client.get("/api/backtesting")).json()["jobs"] == []
        fine = await house.client.get("/api/monitoring")
        assert "default-src 'self'" in fine.headers["content-security-policy"]
        samples = {
            tuple(s.labels.values()): s.value
            for s in house.gateway.metrics.requests.collect()[0].samples
            if s.name.endswith("_total")
        }
        assert samples[("GET", "other", "403")] == samples[("POST", "other", "403")] == 1
        assert samples[("GET", "/api/monitoring", "200")] == 1

    in_house(ask)


def test_a_drain_ends_open_sockets_at_once_and_counts_them(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        async with connect(address(house)) as one, connect(address(house)) as other:
            await one.recv()
            await other.recv()
            (gauge,) = house.gateway.metrics.websocket_clients.collect()[0].samples
            assert gauge.value == 2
            await house.stop()
            for client in (one, other):
                with pytest.raises(ConnectionClosed):
                    await _read_on(client)
        (gauge,) = house.gateway.metrics.websocket_clients.collect()[0].samples
        assert gauge.value == 0

    in_house(ask)


async def _read_on(client: ClientConnection) -> None:
    while True:
        await client.recv()
