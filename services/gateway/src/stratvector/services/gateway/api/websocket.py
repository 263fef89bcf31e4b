"""websocket: /ws tells what happens; what clients say is not heard."""

import asyncio
from contextlib import suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from stratvector.services.gateway.api.asking import AtDesk
from stratvector.services.gateway.events import Subscriber

router = APIRouter()


@router.websocket("/ws")
async def tell(socket: WebSocket, desk: AtDesk) -> None:
    """The states as they are now, then each event, until the client leaves."""
    await socket.accept()
    desk.metrics.websocket_clients.inc()
    try:
        with desk.hub.subscribed() as subscriber:
            telling = asyncio.create_task(_tell(socket, subscriber), name="/ws")
            leaving = asyncio.create_task(_leave(socket), name="/ws leaves")
            try:
                await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (telling, leaving):
                    task.cancel()
                await asyncio.gather(telling, leaving, return_exceptions=True)
    finally:
        desk.metrics.websocket_clients.dec()


async def _tell(socket: WebSocket, subscriber: Subscriber) -> None:
    """Waits for the client's network, and nobody waits for this: the queue drops the oldest."""
    with suppress(WebSocketDisconnect):
        while True:
            for text in await subscriber.texts():
                await socket.send_text(text)


async def _leave(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
