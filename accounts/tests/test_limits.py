"""Tries over time: logins of an account, of an address, and sign-ups of an address."""

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


def test_logins_over_the_limits_then_wait_by_account_and_by_address(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="3/1d", LIMIT_LOGIN_IP="7/1d")
    known, unknown = server.sign_up(), f"{uuid.uuid4().hex}@example.com"
    for email in (known.email, unknown):
        assert [login(server, spelled).status_code for spelled in (email, email.upper(), f" {email}")] == [
            401
        ] * 3
    assert_limited(login(server, unknown.title()), DAY_SECONDS)  # the seventh of this address
    assert_limited(login(server, "someone@else.example"), DAY_SECONDS)
    right = server.http().post("/api/auth/login", json={"email": known.email, "password": PASSWORD})
    assert_limited(right, DAY_SECONDS)


def test_password_changes_over_the_limit_then_wait(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="2/1d")
    user = server.sign_up()
    body = {"currentPassword": "guess", "newPassword": "entirely other words 7"}
    assert [user.http.post("/api/auth/password", json=body).status_code for _ in range(2)] == [400, 400]
    assert_limited(user.http.post("/api/auth/password", json=body), DAY_SECONDS)


def test_signups_over_the_limit_then_wait(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_SIGNUP_IP="2/1d")
    server.sign_up()
    server.sign_up()
    body = {"username": "third", "email": "third@example.com", "password": PASSWORD}
    assert_limited(server.http().post("/api/auth/signup", json=body), DAY_SECONDS)
