"""How often sockets may be opened: by a user, from an address, with forged tokens. About ten seconds."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from realtime.session.connect_limits import LOG_SECONDS, RefusalLog
from tests.kit.clock import Clock
from tests.kit.servers import ChatServer
from tests.kit.waiting import until

from .engine_clients import login, open_socket

pytestmark = pytest.mark.once  # limits are counted in Redis

REFUSED = (4429, "rate_limited")


@asynccontextmanager
async def opened(server: ChatServer, token: str, address: str = "") -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {token}"} | ({"X-Forwarded-For": address} if address else {})
    async with connect(server.ws_url, additional_headers=headers, open_timeout=30) as ws:
        yield ws


async def outcome(server: ChatServer, token: str, address: str = "") -> Any:
    """ "ready", or the code and reason with which the socket was closed."""
    async with opened(server, token, address) as ws:
        try:
            await ws.recv()
            return "ready"
        except ConnectionClosed:
            return ws.close_code, ws.close_reason


async def test_user_when_connecting_without_end_then_most_are_refused(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", MAX_CONNECTIONS_USER="200")
    user, other = server.sign_up(), server.sign_up()
    async with other.connect() as bystander:
        outcomes = Counter(await asyncio.gather(*(outcome(server, user.access_token) for _ in range(100))))
        await bystander.reply("ping")
        assert await outcome(server, other.access_token) == "ready"
    # The limit lets one more pass in every two seconds.
    assert 30 <= outcomes["ready"] < 50
    assert set(outcomes) == {"ready", REFUSED}
    async with opened(server, user.access_token) as ws:
        assert ws.response is not None
        assert 1 <= int(ws.response.headers["Retry-After"]) <= 3
    records = [one for one in server.log_records() if one.get("message") == "connect refused"]
    assert records
    assert {(one["status"], one["limitedBy"], one["userId"]) for one in records} == {
        ("rate_limited", "user", user.id)
    }


async def test_address_when_over_the_limit_then_no_token_is_read(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_CONNECTS_IP="2/1d", TRUSTED_PROXIES="1")
    user = server.sign_up()
    for address, same in (("203.0.113.7", "203.0.113.7"), ("2001:db8::7", "2001:db8::8:9")):
        assert [await outcome(server, user.access_token, address) for _ in range(2)] == ["ready"] * 2
        assert await outcome(server, user.access_token, same) == REFUSED
        assert await outcome(server, "forged", same) == REFUSED
    assert await outcome(server, user.access_token, "203.0.113.8") == "ready"
    assert await outcome(server, "forged", "2001:db8:0:1::7") == (4401, "unauthenticated")


async def test_token_when_forged_too_often_then_good_ones_still_connect(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_CONNECTS_FORGED="2/1d", ACCESS_TOKEN_SECONDS="1")
    user = server.sign_up()
    forged = user.access_token[:-6] + "aaaaaa"
    outcomes = [await outcome(server, forged) for _ in range(3)]
    assert outcomes == [(4401, "unauthenticated")] * 2 + [REFUSED]

    async def expired() -> bool:
        return await outcome(server, user.access_token) == (4401, "token_expired")

    # A server that was away for long makes expired tokens of everybody behind an address.
    await until(expired, "the token has expired")
    assert await expired()
    assert await outcome(server, user.login().access_token) == "ready"


async def test_socket_io_when_its_user_is_over_the_limit_then_is_turned_away(
    start_server: Callable[..., ChatServer],
) -> None:
    """Also with new sessions over one transport. The stock client comes again by itself, unlike after an error."""
    server = start_server(RATE_LIMITS="on", LIMIT_CONNECTS_USER="2/1d")
    user, other = server.sign_up(), server.sign_up()
    async with open_socket(server, user) as socket:
        await socket.send("41", login(user))
        await socket.expect('42["ready"')
        await socket.send("41", login(user))
        with pytest.raises(ConnectionClosed):
            await socket.expect("44", "42")
        assert not any(packet.startswith("44") for packet in socket.seen)
    assert await outcome(server, user.access_token) == REFUSED
    async with open_socket(server, other) as socket:
        assert await socket.ask('["ping",{}]')


def test_log_when_many_are_refused_then_has_one_record_a_second(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = RefusalLog(clock=clock)
    with caplog.at_level("INFO", logger="chat.access"):
        for _ in range(5):
            log.note("address")
        clock.now += LOG_SECONDS
        log.note("user")
    assert [record.limitedBy for record in caplog.records] == ["address", "user"]  # type: ignore[attr-defined]
