"""The token of a handshake, which a client sends in one of three ways. No log contains it."""

from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

WAYS = ["header", "subprotocol", "query"]


def handshake(server: ChatServer, way: str, token: str) -> dict[str, Any]:
    if way == "header":
        return {"uri": server.ws_url, "additional_headers": {"Authorization": f"Bearer {token}"}}
    if way == "subprotocol":
        return {"uri": server.ws_url, "subprotocols": ["chat.v1", f"bearer.{token}"]}
    return {"uri": f"{server.ws_url}?deviceId=d-1&%74oken={quote(token)}&x=%2F"}


@pytest.mark.parametrize("way", WAYS)
async def test_connect_when_the_token_is_valid_then_is_ready_and_not_logged(
    alice: ChatUser, way: str
) -> None:
    async with connect(**handshake(alice.server, way, alice.access_token)) as ws:
        ready = (await ChatSocketClient(ws).expect("ready"))["data"]
        assert ready["userId"] == alice.id
        assert ws.subprotocol == ("chat.v1" if way == "subprotocol" else None)
        if way == "query":
            assert ready["deviceId"] == "d-1"
    assert alice.access_token.rpartition(".")[2] not in alice.server.log.read_text()


@pytest.mark.parametrize("way", WAYS)
async def test_connect_when_from_another_origin_then_is_403_and_not_logged(alice: ChatUser, way: str) -> None:
    options = handshake(alice.server, way, alice.access_token)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(**options, origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403
    assert alice.access_token.rpartition(".")[2] not in alice.server.log.read_text()


@pytest.mark.parametrize("way", WAYS)
async def test_connect_when_the_session_has_ended_then_closes_with_4401(alice: ChatUser, way: str) -> None:
    alice.server.http().post("/api/auth/logout", json={"refreshToken": alice.refresh_token})
    async with connect(**handshake(alice.server, way, alice.access_token)) as ws:
        client = ChatSocketClient(ws)
        assert await client.close_code() == 4401
        assert client.frames == []
