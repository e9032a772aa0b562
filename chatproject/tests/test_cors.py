"""A page of another origin may use REST if ALLOWED_ORIGINS accepts its sockets, and only then. About 8 seconds."""

from collections.abc import Iterator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser

PAGE = "https://chat.example"
STRANGERS = "https://evil.example"


@pytest.fixture(scope="module")
def listing() -> Iterator[ChatServer]:
    """A server with a list of origins that limits attempts to log in."""
    server = ChatServer(
        ALLOWED_ORIGINS=f"{PAGE},https://.partner.example", RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="1/1d"
    )
    try:
        yield server.start()
    finally:
        server.stop()


def preflight(server: ChatServer, origin: str, path: str = "/api/users/me") -> httpx.Response:
    """The request that a browser sends before one with a token."""
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    with server.http(Origin=origin, **asked) as http:
        return http.options(path)


def cors_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: text for name, text in answer.headers.items() if name.startswith("access-control-")}


def words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


async def opens_socket(user: ChatUser, origin: str) -> bool:
    headers = {"Origin": origin, "Authorization": f"Bearer {user.access_token}"}
    try:
        async with connect(user.server.ws_url, additional_headers=headers):
            return True
    except InvalidStatus:
        return False


def test_preflight_when_the_origin_is_listed_then_allows_tokens_only(listing: ChatServer) -> None:
    answer = preflight(listing, PAGE)
    assert (answer.status_code, answer.content) == (200, b"")
    headers = cors_headers(answer)
    assert headers["access-control-allow-origin"] == PAGE
    assert {"authorization", "content-type"} <= words(headers["access-control-allow-headers"])
    assert {"get", "post", "patch", "delete"} <= words(headers["access-control-allow-methods"])
    assert "access-control-allow-credentials" not in headers
    assert answer.headers["X-Request-ID"]


def test_requests_when_the_origin_is_listed_then_answers_are_readable(listing: ChatServer) -> None:
    account = {"username": "page", "email": "page@example.com", "password": PASSWORD}
    with listing.http(Origin=PAGE) as http:
        signed_up = http.post("/api/auth/signup", json=account)
        assert signed_up.status_code == 201
        token = {"Authorization": f"Bearer {signed_up.json()['accessToken']}"}
        me = http.get("/api/users/me", headers=token)
        assert me.json()["username"] == "page"
        unauthenticated = http.get("/api/users/me")
        error_of(unauthenticated, 401, "unauthenticated")
        wrong = {"email": account["email"], "password": "x"}
        invalid_credentials = http.post("/api/auth/login", json=wrong)
        error_of(invalid_credentials, 401, "invalid_credentials")
        limited = http.post("/api/auth/login", json=wrong)
        error_of(limited, 429, "rate_limited")
        unknown = http.get("/api/no-such-path")
        error_of(unknown, 404, "not_found")
        stranger_host = http.get("/api/users/me", headers={"Host": "stranger.example"})
        assert stranger_host.status_code == 400
    for answer in (signed_up, me, unauthenticated, invalid_credentials, limited, unknown, stranger_host):
        headers = cors_headers(answer)
        assert headers["access-control-allow-origin"] == PAGE, answer.status_code
        exposed = words(headers["access-control-expose-headers"])
        assert exposed == {"retry-after", "www-authenticate", "x-request-id"}
        assert "access-control-allow-credentials" not in headers
        assert "origin" in words(answer.headers["Vary"])


def test_requests_when_the_origin_is_not_listed_then_have_no_cors(listing: ChatServer) -> None:
    assert cors_headers(preflight(listing, STRANGERS)) == {}
    with listing.http(Origin=STRANGERS) as http:
        answer = http.get("/api/users/me")
    error_of(answer, 401, "unauthenticated")
    assert cors_headers(answer) == {}
    assert "origin" in words(answer.headers["Vary"])


@pytest.mark.parametrize("path", ["/console/", "/admin/login/", "/docs", "/healthz"])
def test_pages_when_another_origin_asks_then_are_not_readable(listing: ChatServer, path: str) -> None:
    assert cors_headers(preflight(listing, PAGE, path)) == {}


async def test_origin_when_its_sockets_are_accepted_then_may_use_rest_too(
    listing: ChatServer, server: ChatServer
) -> None:
    open_to_all = ChatServer(ALLOWED_ORIGINS="*")
    try:
        open_to_all.start()
        origins = (PAGE, "https://a.partner.example", "http://chat.example", STRANGERS, "null", "http://[")
        for chat_server, expected in (
            (server, [False, False, False, False, False, False]),
            (listing, [True, True, False, False, False, False]),
            (open_to_all, [True, True, True, True, True, False]),
        ):
            user = chat_server.sign_up()
            rest = [
                preflight(chat_server, origin).headers.get("access-control-allow-origin")
                for origin in origins
            ]
            assert [origin is not None for origin in rest] == expected
            assert [await opens_socket(user, origin) for origin in origins] == expected
            assert await opens_socket(user, chat_server.base_url)
    finally:
        open_to_all.stop()


def test_socket_io_when_the_origin_is_listed_then_it_may_poll(listing: ChatServer) -> None:
    query = {"EIO": "4", "transport": "polling"}
    for origin, status in ((PAGE, 200), (STRANGERS, 400)):
        with listing.http(Origin=origin) as http:
            answer = http.get("/socket.io/", params=query)
        assert answer.status_code == status
        assert (answer.headers.get("access-control-allow-origin") == origin) == (status == 200)


def test_js_client_when_another_origin_imports_it_then_is_readable(server: ChatServer) -> None:
    with server.http(Origin=STRANGERS) as http:
        answer = http.get("/static/chat_client/chat-client.js")
    assert answer.headers["access-control-allow-origin"] == "*"
