"""A Socket.IO client from whose address too many sockets are opened. About two seconds."""

from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer

from .engine_clients import PATH, login, open_polling, open_socket

pytestmark = pytest.mark.once  # limits are counted in Redis


async def test_socket_io_when_its_address_is_over_the_limit_then_is_told(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_CONNECTS_IP="2/1d")
    user = server.sign_up()
    async with open_polling(server) as polling:
        # The requests that follow are of the same socket.
        await polling.post(login(user))
        await polling.expect('42["ready"')
        for _ in range(3):
            assert (await polling.post('421["ping",{}]')).status_code == 200
            await polling.expect("431[")
    async with open_socket(server, user):
        pass
    with server.http() as http:
        answer = http.get(PATH, params={"EIO": "4", "transport": "polling"})
    error_of(answer, 429, "rate_limited")
    with pytest.raises(ConnectionClosed) as closed:
        async with open_socket(server):
            pass
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4429, "rate_limited")  # type: ignore[union-attr]
