"""The rate limits of logins, by account and by address, and of sign-ups, by address."""

import uuid
from collections.abc import Callable

import httpx

from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

DAY_SECONDS = 24 * 3600


def login(server: ChatServer, email: str) -> httpx.Response:
    return server.http().post("/api/auth/login", json={"email": email, "password": "wrong"})


def assert_limited(answer: httpx.Response, seconds: int) -> None:
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
    assert_limited(login(server, unknown.title()), DAY_SECONDS)
    assert_limited(login(server, "someone@else.example"), DAY_SECONDS)
    right = server.http().post("/api/auth/login", json={"email": known.email, "password": PASSWORD})
    assert_limited(right, DAY_SECONDS)


def test_password_when_changed_too_often_then_waits(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="2/1d")
    user = server.sign_up()
    body = {"currentPassword": "guess", "newPassword": "entirely other words 7"}
    assert [user.http.post("/api/auth/password", json=body).status_code for _ in range(2)] == [400, 400]
    assert_limited(user.http.post("/api/auth/password", json=body), DAY_SECONDS)


def test_signup_when_over_the_limit_then_waits(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_SIGNUP_IP="2/1d")
    server.sign_up()
    server.sign_up()
    body = {"username": "third", "email": "third@example.com", "password": PASSWORD}
    assert_limited(server.http().post("/api/auth/signup", json=body), DAY_SECONDS)
