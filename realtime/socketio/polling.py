"""HTTP long polling: answers a GET, and stops waiting for packets when its client has left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from foundation import loop

Receive = Callable[[], Awaitable[Any]]
Application = Callable[[Any, Receive, Any], Awaitable[Any]]


async def answer_poll(application: Application, scope: Any, receive: Receive, send: Any) -> None:
    """Run the application for a GET until it has answered or the client has disconnected.

    python-engineio does not notice a disconnect. It would wait for packets for the absent client, and the server's
    shutdown would wait for that.
    """
    request = asyncio.create_task(
        _run(application, scope, send),
        name="socket.io-poll",
    )
    disconnect = asyncio.create_task(_wait_for_disconnect(receive), name="socket.io-disconnect")
    try:
        await asyncio.wait([request, disconnect], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await loop.cancel(request, disconnect)
    if not request.cancelled():
        request.result()


async def _run(application: Application, scope: Any, send: Any) -> None:
    # A GET has no body, and `receive` itself is read by the other task.
    async def receive_nothing() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await application(scope, receive_nothing, send)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
