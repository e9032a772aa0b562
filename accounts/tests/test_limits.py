"""The limits of logins, refreshes, bad tokens, password changes and sign-ups: each is counted by itself."""

import time
import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser

from .forge import sign

DAY_SECONDS = 24 * 3600
HOME = "198.51.100.7"
NEW_PASSWORD = "entirely other words 7"


def login(server: ChatServer, email: str, password: str = "wrong", *, ip: str = HOME) -> httpx.Response:
    """A login through a proxy, by a client with this address."""
    http = server.http(**{"X-Forwarded-For": ip})
    return http.post("/api/auth/login", json={"email": email, "password": password})


def refresh(server: ChatServer, token: str) -> httpx.Response:
    return server.http().post("/api/auth/refresh", json={"refreshToken": token})


def change_password(user: ChatUser, current: str) -> httpx.Response:
    body = {"currentPassword": current, "newPassword": NEW_PASSWORD}
    return user.server.http(user).post("/api/auth/password", json=body)


def assert_limited(answer: httpx.Response, seconds: int = DAY_SECONDS) -> None:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (429, "rate_limited")
    assert 1 <= error["retryAfter"] <= seconds
    assert 1 <= int(answer.headers["Retry-After"]) <= seconds


def test_login_when_over_the_limits_then_waits_by_account_and_address(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="3/1d", LIMIT_LOGIN_IP="7/1d")
    known, unknown = server.sign_up(), f"{uuid.uuid4().hex}@example.com"
    for email in (known.email, unknown):
        assert [login(server, spelled).status_code for spelled in (email, email.upper(), f" {email}")] == [
            401
        ] * 3
    # The seventh login from this address.
    assert_limited(login(server, unknown.title()))
    assert_limited(login(server, "someone@else.example"))
    assert_limited(login(server, known.email, PASSWORD))


@pytest.mark.parametrize(
    ("guesser", "same", "other"),
    [
        ("203.0.113.5", "203.0.113.5", "203.0.113.6"),
        ("2001:db8:1:1::5", "2001:db8:1:1::6", "2001:db8:1:2::5"),
    ],
)
def test_login_when_somebody_guesses_elsewhere_then_the_owner_gets_in(
    start_server: Callable[..., ChatServer], guesser: str, same: str, other: str
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="2/1d", TRUSTED_PROXIES="1")
    owner = server.sign_up()
    assert [login(server, owner.email, ip=guesser).status_code for _ in range(2)] == [401, 401]
    assert_limited(login(server, owner.email, PASSWORD, ip=same))
    assert login(server, owner.email, PASSWORD, ip=other).status_code == 200


def test_login_when_guessed_from_many_networks_then_only_known_ones_pass(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_NEW_ADDRESSES="4/1d", TRUSTED_PROXIES="1")
    owner, nobody = server.sign_up(), f"{uuid.uuid4().hex}@example.com"
    assert login(server, owner.email, PASSWORD).status_code == 200
    for email, guesses in ((owner.email, 3), (nobody, 4)):
        answers = [login(server, email, ip=f"203.0.113.{number}") for number in range(guesses)]
        assert [answer.status_code for answer in answers] == [401] * guesses
        assert_limited(login(server, email, PASSWORD, ip="203.0.113.99"))
    assert login(server, owner.email, PASSWORD).status_code == 200
    assert login(server, owner.email).status_code == 401


def test_password_when_changed_too_often_then_this_session_waits(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_PASSWORD_SESSION="2/1d")
    user = server.sign_up()
    other = user.login()
    assert [change_password(user, "guess").status_code for _ in range(2)] == [400, 400]
    assert_limited(change_password(user, PASSWORD))
    assert change_password(other, PASSWORD).status_code == 204


def test_password_when_logins_are_used_up_then_can_be_changed(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="1/1d", LIMIT_LOGIN_NEW_ADDRESSES="1/1d")
    user = server.sign_up()
    assert login(server, user.email).status_code == 401
    assert_limited(login(server, user.email, PASSWORD))
    assert change_password(user, PASSWORD).status_code == 204


def test_refresh_when_sent_too_often_then_this_session_waits(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_REFRESH_SESSION="2/1d", LIMIT_REST_ANON="2/1d")
    user = server.sign_up()
    others = [user.login() for _ in range(4)]
    for _ in range(2):
        user.refresh_token = refresh(server, user.refresh_token).json()["refreshToken"]
    assert_limited(refresh(server, user.refresh_token))
    assert [refresh(server, other.refresh_token).status_code for other in others] == [200] * 4
    assert_limited(server.http().post("/api/auth/logout", json={"refreshToken": user.refresh_token}))


def test_bad_tokens_when_too_many_then_logins_and_refreshes_go_on(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_BAD_TOKENS="3/1d", LIMIT_REST_ANON="3/1d")
    user = server.sign_up()
    bad = server.http(Authorization="Bearer x")
    assert bad.get("/api/users/me").status_code == 401
    assert refresh(server, "x").status_code == 401
    assert refresh(server, user.access_token).status_code == 401
    for answer in (bad.get("/api/users/me"), refresh(server, "x"), refresh(server, user.access_token)):
        assert_limited(answer)
    assert login(server, user.email, PASSWORD).status_code == 200
    assert refresh(server, user.refresh_token).status_code == 200
    assert user.http.get("/api/users/me").status_code == 200
    assert server.http().get("/api/users/me").status_code == 401
    assert server.sign_up()


def test_expired_tokens_when_many_share_an_address_then_each_learns_it(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_BAD_TOKENS="2/1d")
    user = server.sign_up()
    now = int(time.time())
    clients = [server.http(Authorization=f"Bearer {sign(user, exp=now - n)}") for n in range(1, 5)]
    for _ in range(2):
        answers = [client.get("/api/users/me") for client in clients]
        assert [answer.json()["error"]["code"] for answer in answers] == ["token_expired"] * 4
    assert_limited(clients[0].get("/api/users/me"))


def test_bad_tokens_when_the_session_has_ended_then_are_counted(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_BAD_TOKENS="2/1d")
    user = server.sign_up()
    assert (
        server.http().post("/api/auth/logout", json={"refreshToken": user.refresh_token}).status_code == 204
    )
    assert [user.http.get("/api/users/me").status_code for _ in range(2)] == [401, 401]
    assert_limited(user.http.get("/api/users/me"))


def test_signup_when_over_the_limit_then_waits(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_SIGNUP_IP="2/1d")
    server.sign_up()
    server.sign_up()
    body = {"username": "third", "email": "third@example.com", "password": PASSWORD}
    assert_limited(server.http().post("/api/auth/signup", json=body))
