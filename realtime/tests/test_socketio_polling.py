"""A poll ends with its answer, or with its client."""

import asyncio
from typing import Any

import pytest

from realtime.socketio.polling import answer_poll

pytestmark = pytest.mark.once  # messages in memory


async def receive_nothing() -> Any:
    await asyncio.Event().wait()


async def receive_disconnect() -> Any:
    return {"type": "http.disconnect"}


async def test_poll_when_answered_then_returns() -> None:
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await send(scope)

    async def send(message: Any) -> None:
        sent.append(message)

    await answer_poll(application, "the scope", receive_nothing, send)
    assert sent == ["the scope"]


async def test_poll_when_the_client_leaves_then_the_application_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await answer_poll(application, {}, receive_disconnect, None)
    assert cancelled.is_set()


async def test_poll_when_the_application_raises_then_raises() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await answer_poll(application, {}, receive_nothing, None)
