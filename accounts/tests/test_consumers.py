"""Sockets of a user: auth:refresh, ping, and the events that close them."""

import time

from tests.kit.users import ChatUser

from .conftest import AdminBrowser
from .forge import active_key, session_id_of, sign


async def test_user_when_deactivated_then_sockets_close_with_4403(admin: AdminBrowser, bob: ChatUser) -> None:
    async with bob.connect() as client:
        admin.act("user", "deactivate", bob.id)
        assert await client.close_code() == 4403
    async with bob.connect(ready=False) as client:
        assert await client.close_code() == 4403
        assert client.frames == []


async def test_session_when_ended_by_an_admin_then_its_socket_closes(
    admin: AdminBrowser, bob: ChatUser
) -> None:
    other = bob.login()
    async with bob.connect() as client, other.connect() as second:
        admin.act("session", "end", session_id_of(bob))
        assert await client.close_code() == 4401
        await second.reply("ping")
        admin.act("user", "end_sessions", bob.id)
        assert await second.close_code() == 4401


async def test_ping_when_sent_then_answers_the_time_of_the_server(alice: ChatUser) -> None:
    async with alice.connect() as client:
        times = [(await client.reply("ping"))["serverTime"] for _ in range(2)]
        assert times == sorted(times)
        assert times[0].endswith("Z")
        assert (await client.error("ping", {"x": 1}))["code"] == "invalid"


async def test_socket_when_its_token_expires_then_closes_unless_refreshed(alice: ChatUser) -> None:
    kept, long = alice.server.http(alice), alice.access_token
    active_key(alice.server)  # takes a while the first time
    alice.access_token = sign(alice, exp=int(time.time()) + 3)
    async with alice.connect() as left, alice.connect() as refreshed:
        answer = await refreshed.reply("auth:refresh", {"token": long})
        assert answer["expiresAt"] > refreshed.ready["expiresAt"]
        assert await left.close_code() == 4401
        await refreshed.reply("ping")
        assert kept.get("/api/users/me").status_code == 200


async def test_auth_refresh_when_the_token_is_bad_then_the_socket_stays_open(
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


async def test_auth_refresh_when_of_another_session_then_socket_follows_it(
    alice: ChatUser,
) -> None:
    other = alice.login()
    async with alice.connect() as client:
        await client.reply("auth:refresh", {"token": other.access_token})
        alice.server.http().post("/api/auth/logout", json={"refreshToken": alice.refresh_token})
        await client.reply("ping")
        alice.server.http().post("/api/auth/logout", json={"refreshToken": other.refresh_token})
        assert await client.close_code() == 4401
