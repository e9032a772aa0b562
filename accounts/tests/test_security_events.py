"""What happens to accounts is in the security log and in its metric, and no secret is."""

from collections.abc import Callable
from typing import Any

import pytest

from foundation.security_log import HASH_CHARS
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser

pytestmark = pytest.mark.once  # records of the log

NEW_PASSWORD = "entirely other words 7"


def events(server: ChatServer) -> list[dict[str, Any]]:
    return [record for record in server.log_records() if record["logger"] == "chat.security"]


def shown(server: ChatServer) -> list[str]:
    return [f"{event['action']} {event['outcome']}" for event in events(server)]


def counted(server: ChatServer) -> dict[str, float]:
    """The counts of the metric that are not zero: `{"login ok": 1}`."""
    found = {}
    with server.http() as http:
        for line in http.get("/metrics").text.splitlines():
            if line.startswith("chat_security_events_total{"):
                labels, value = line.rsplit(" ", 1)
                _, action, _, outcome, _ = labels.split('"')
                found[f"{action} {outcome}"] = float(value)
    return {name: value for name, value in found.items() if value}


def login(server: ChatServer, email: str, password: str) -> int:
    with server.http() as http:
        return http.post("/api/auth/login", json={"email": email, "password": password}).status_code


def refresh(user: ChatUser) -> int:
    with user.server.http() as http:
        return http.post("/api/auth/refresh", json={"refreshToken": user.refresh_token}).status_code


def test_events_when_an_account_is_used_then_are_recorded_and_counted(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(LOG_LEVEL="ERROR", RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="2/1d")
    user = server.sign_up("ann")
    assert login(server, user.email, "a wrong guess") == 401
    assert login(server, user.email, PASSWORD) == 200
    assert login(server, user.email, PASSWORD) == 429
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    assert user.http.post("/api/auth/password", json=body).status_code == 204
    assert [refresh(user), refresh(user)] == [200, 200]
    assert (
        server.http().post("/api/auth/logout", json={"refreshToken": user.refresh_token}).status_code == 204
    )
    expected = [
        "signup ok", "login refused", "login ok", "login limited", "session_end ok", "password_change ok",
        "token_reuse ok", "session_end ok",
    ]  # fmt: skip
    assert shown(server) == expected
    assert counted(server) == {name: expected.count(name) for name in expected}
    assert {event["account"] for event in events(server)} == set(
        server.manage("account_hash", user.id).stdout.split()
    )
    assert {event["ip"] for event in events(server)} == {"127.0.0.1"}
    log = server.log.read_text()
    secrets = [user.email, PASSWORD, NEW_PASSWORD, "a wrong guess", user.access_token, user.refresh_token]
    assert [secret for secret in secrets if secret in log] == []


def test_reuse_when_the_session_ends_by_it_then_is_one_event(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(REFRESH_REUSE_SECONDS="0")
    user = server.sign_up("ann")
    assert [refresh(user) for _ in range(4)] == [200, 401, 401, 401]
    assert shown(server)[1:] == ["session_end ok", "token_reuse refused"]
    assert events(server)[1]["detail"] == {"sessions": 1, "reason": "token reused"}


def test_login_when_of_nobody_then_the_record_names_the_login(server: ChatServer) -> None:
    before = len(events(server))
    assert login(server, "Nobody@Bücher.example", "a guess") == 401
    (event,) = events(server)[before:]
    assert (event["action"], event["outcome"], event["level"]) == ("login", "refused", "WARNING")
    assert event["detail"] == {"error": "invalid_credentials"}
    assert [event["account"]] == server.manage("account_hash", "nobody@xn--bcher-kva.example").stdout.split()


def test_signup_when_refused_then_is_recorded(server: ChatServer, alice: ChatUser) -> None:
    before = len(events(server))
    body = {"username": alice.username, "email": "other@example.com", "password": PASSWORD}
    assert server.http().post("/api/auth/signup", json=body).status_code == 409
    (event,) = events(server)[before:]
    assert (event["action"], event["outcome"], event["detail"]) == (
        "signup",
        "refused",
        {"error": "conflict"},
    )


def test_commands_when_they_change_keys_and_roles_then_are_recorded(server: ChatServer) -> None:
    said = server.manage("rotate_signing_key", "--after", "86400").stderr
    assert '"action": "key_rotation"' in said
    name = "root_of_events"
    server.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    said = server.manage(
        "createsuperuser", "--noinput", "--username", name, "--email", f"{name}@example.com"
    ).stderr
    assert '"action": "role_change"' in said


def test_account_hash_when_asked_then_prints_the_user_and_the_login(alice: ChatUser) -> None:
    by_id = alice.server.manage("account_hash", alice.id).stdout.split()
    by_email = alice.server.manage("account_hash", alice.email.upper()).stdout.split()
    by_name = alice.server.manage("account_hash", alice.username).stdout.split()
    assert by_id == by_email[:1] == by_name[:1]
    assert len({*by_email, *by_name}) == 3
    assert {len(name) for name in (*by_email, *by_name)} == {HASH_CHARS}
