"""Accounts on the socket: three ways to bring a token, auth:refresh, ping, and what ends a connection."""

import time
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .conftest import AdminBrowser
from .forge import session_id_of, sign

WAYS = ["header", "subprotocol", "query"]


def handshake(server: ChatServer, way: str, token: str) -> dict[str, Any]:
    if way == "header":
        return {"uri": server.ws_url, "additional_headers": {"Authorization": f"Bearer {token}"}}
    if way == "subprotocol":
        return {"uri": server.ws_url, "subprotocols": ["chat.v1", f"bearer.{token}"]}
    return {"uri": f"{server.ws_url}?deviceId=d-1&%74oken={quote(token)}&x=%2F"}


@pytest.mark.parametrize("way", WAYS)
async def test_connect_with_a_token_then_is_ready_and_the_token_is_in_no_log(
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
async def test_connect_from_another_origin_then_is_403_and_the_token_is_in_no_log(
    alice: ChatUser, way: str
) -> None:
    options = handshake(alice.server, way, alice.access_token)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(**options, origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403
    assert alice.access_token.rpartition(".")[2] not in alice.server.log.read_text()


@pytest.mark.parametrize("way", WAYS)
async def test_connect_with_a_revoked_token_then_is_closed_with_4401(alice: ChatUser, way: str) -> None:
    alice.server.http().post("/api/auth/logout", json={"refreshToken": alice.refresh_token})
    async with connect(**handshake(alice.server, way, alice.access_token)) as ws:
        client = ChatSocketClient(ws)
        assert await client.close_code() == 4401
        assert client.frames == []


async def test_deactivated_then_open_and_new_sockets_close_with_4403(
    admin: AdminBrowser, bob: ChatUser
) -> None:
    async with bob.connect() as client:
        admin.act("user", "deactivate", bob.id)
        assert await client.close_code() == 4403
    async with bob.connect(ready=False) as client:
        assert await client.close_code() == 4403
        assert client.frames == []


async def test_session_ended_by_an_admin_then_its_socket_closes_with_4401(
    admin: AdminBrowser, bob: ChatUser
) -> None:
    other = bob.login()
    async with bob.connect() as client, other.connect() as second:
        admin.act("session", "end", session_id_of(bob))
        assert await client.close_code() == 4401
        await second.reply("ping")
        admin.act("user", "end_sessions", bob.id)
        assert await second.close_code() == 4401


async def test_ping_then_answers_the_servers_time(alice: ChatUser) -> None:
    async with alice.connect() as client:
        times = [(await client.reply("ping"))["serverTime"] for _ in range(2)]
        assert times == sorted(times)
        assert times[0].endswith("Z")
        assert (await client.error("ping", {"x": 1}))["code"] == "invalid"


async def test_token_expires_then_the_socket_closes_unless_it_was_refreshed(alice: ChatUser) -> None:
    kept, long = alice.server.http(alice), alice.access_token
    alice.access_token = sign(alice, exp=int(time.time()) + 3)
    async with alice.connect() as left, alice.connect() as refreshed:
        answer = await refreshed.reply("auth:refresh", {"token": long})
        assert answer["expiresAt"] > refreshed.ready["expiresAt"]
        assert await left.close_code() == 4401
        await refreshed.reply("ping")
        assert kept.get("/api/users/me").status_code == 200


async def test_auth_refresh_with_a_bad_token_then_says_so_and_the_connection_lives(
    alice: ChatUser, bob: ChatUser
) -> None:
    ended = alice.login()
    alice.http.delete(f"/api/auth/sessions/{session_id_of(ended)}")
    bad = {
        bob.access_token: "unauthenticated",
        alice.refresh_token: "unauthenticated",
        ended.access_token: "unauthenticated",
        sign(alice, exp=int(time.time()) - 1): "token_expired",
        "": "unauthenticated",
        "x" * 3000: "invalid",
    }
    async with alice.connect() as client:
        for token, code in bad.items():
            assert (await client.error("auth:refresh", {"token": token}))["code"] == code
        assert (await client.error("auth:refresh", {}))["fields"] == {
            "token": ["Object missing required field `token`"]
        }
        assert (await client.error("auth:refresh", {"token": 5}))["code"] == "invalid"
        await client.reply("ping")
        alice.server.http().post("/api/auth/logout", json={"refreshToken": alice.refresh_token})
        assert await client.close_code() == 4401


async def test_auth_refresh_with_another_session_then_the_socket_lives_and_ends_with_that_one(
    alice: ChatUser,
) -> None:
    other = alice.login()
    async with alice.connect() as client:
        await client.reply("auth:refresh", {"token": other.access_token})
        alice.server.http().post("/api/auth/logout", json={"refreshToken": alice.refresh_token})
        await client.reply("ping")
        alice.server.http().post("/api/auth/logout", json={"refreshToken": other.refresh_token})
        assert await client.close_code() == 4401
