"""websocket: /ws sends what happens to one portfolio; what clients send is ignored."""

import asyncio
from contextlib import suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from stratvector.services.gateway.api.asking import Context, Gateway
from stratvector.services.gateway.events import Subscriber

router = APIRouter()


@router.websocket("/ws")
async def tell(socket: WebSocket, gateway: Gateway, context: Context) -> None:
    """The states as they are now, then each event, until the client leaves."""
    await socket.accept()
    gateway.metrics.websocket_clients.inc()
    try:
        with context.hub.subscribed() as subscriber:
            sending = asyncio.create_task(_send(socket, subscriber), name="/ws")
            leaving = asyncio.create_task(_leave(socket), name="/ws leaves")
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, leaving):
                    task.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)
    finally:
        gateway.metrics.websocket_clients.dec()


async def _send(socket: WebSocket, subscriber: Subscriber) -> None:
    """Waits for the client's network, and nobody waits for this: the queue drops the oldest."""
    with suppress(WebSocketDisconnect):
        while True:
            for text in await subscriber.texts():
                await socket.send_text(text)


async def _leave(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
