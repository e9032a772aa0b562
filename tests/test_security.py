"""Security headers, cookies, escaping, and answers that do not reveal who has an account."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.core.cache import cache

from accounts import passwords
from tests.kit.leaks import MARK
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser


def test_error_when_the_request_holds_a_secret_then_does_not_repeat_it(server: ChatServer) -> None:
    alice = server.sign_up("alice")
    bodies = [
        {"email": alice.email, "password": MARK},
        {"email": [MARK], "password": MARK},
        {"email": "x", "password": {"a": MARK}},
    ]
    with server.http() as http:
        answers = [http.post("/api/auth/login", json=body) for body in bodies]
        answers += [http.post("/api/auth/signup", json=body | {"username": "?"}) for body in bodies]
        answers.append(http.post("/api/auth/refresh", json={"refreshToken": MARK}))
    assert {answer.status_code for answer in answers} <= {400, 401}
    assert [answer.text for answer in answers if MARK in answer.text] == []


def test_login_when_the_email_is_unknown_then_answers_as_if_known(server: ChatServer) -> None:
    alice = server.sign_up("alice")
    with server.http() as http:
        wrong = http.post("/api/auth/login", json={"email": alice.email, "password": MARK})
        unknown = http.post("/api/auth/login", json={"email": f"x{alice.email}", "password": MARK})
    same = [
        (answer.status_code, answer.json()["error"]["message"], len(answer.text))
        for answer in (wrong, unknown)
    ]
    assert same[0] == same[1]


def test_admin_when_debug_is_off_then_has_secure_cookies_and_no_frames(server: ChatServer) -> None:
    with server.http() as http:
        answer = http.get("/admin/login/")
    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    assert [cookie for cookie in cookies if "secure" not in cookie.lower()] == []
    assert answer.headers["X-Frame-Options"] == "DENY"


PAGES = [
    "/", "/favicon.ico", "/docs", "/docs/events", "/docs/errors", "/docs/asyncapi.json", "/console/", "/admin/",
    "/admin/login/", "/api/schema", "/api/users/me", "/api/nowhere", "/nowhere", "/healthz", "/readyz", "/metrics",
    "/static/chatproject/events.css", "/static/chatproject/icon.svg", "/static/admin/js/core.js", "/static/nowhere",
]  # fmt: skip


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("path", PAGES)
def test_page_when_requested_then_has_the_security_headers(ann: ChatUser, path: str, accept: str) -> None:
    for http in (ann.server.http(Accept=accept), ann.server.http(ann, Accept=accept)):
        headers = http.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_login_when_the_email_is_unknown_then_hashes_as_if_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counts the hashing itself, because times are unreliable on a busy machine."""
    encoded = make_password("right words 7", hasher="argon2")
    hashed = []
    for name in ("encode", "verify"):
        work = getattr(Argon2PasswordHasher, name)
        monkeypatch.setattr(
            Argon2PasswordHasher,
            name,
            lambda self, *args, _work=work: hashed.append(self.params().memory_cost) or _work(self, *args),
        )
    costs = []
    for stored in (encoded, None):
        hashed.clear()
        assert (await passwords.check("wrong words 7", stored))[0] is False
        costs.append(list(hashed))
    assert len(costs[0]) == 1
    assert costs[0] == costs[1]


def test_text_when_it_holds_markup_then_is_escaped_where_it_is_shown(server: ChatServer) -> None:
    alice = server.sign_up("alice")
    script = "<script>alert('\u202e&amp;')</script> \U0001f600"
    room_id = alice.make_room(name="<b>room</b>")
    alice.send(room_id, script)
    assert alice.history(room_id)[0]["content"] == script
    page = server.http(alice, Accept="text/html").get(f"/api/rooms/{room_id}/messages")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script>alert(" not in page.text


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[31m", "a\x7f", "a\x85", "a\x08"])
async def test_text_when_it_holds_control_characters_then_is_refused(server: ChatServer, text: str) -> None:
    alice = server.sign_up("alice")
    room_id = alice.make_room()
    answers = [
        alice.http.post(f"/api/rooms/{room_id}/messages", json={"content": text}),
        alice.http.post("/api/rooms", json={"name": text}),
        alice.http.patch("/api/users/me", json={"displayName": text}),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    async with alice.connect() as client:
        assert (await client.error("message:send", {"roomId": room_id, "content": text}))["code"] == "invalid"


@pytest.mark.once  # Redis
def test_cache_when_redis_holds_a_pickle_then_it_is_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "run"),)

    cache.set("kept", {"a": [1, "ü"]})
    assert cache.get("kept") == {"a": [1, "ü"]}
    connection = cache.client.get_client()  # type: ignore[attr-defined]
    connection.set(cache.make_key("forged"), pickle.dumps(Payload()))
    with pytest.raises(ValueError, match="decode"):
        cache.get("forged")
    assert not (tmp_path / "run").exists()


@pytest.mark.once  # refused before the database is used
@pytest.mark.parametrize("origin", ["https://app.example", "null", "http://127.0.0.1:1"])
def test_admin_when_a_page_of_another_origin_posts_then_is_403(
    start_server: Callable[..., ChatServer], origin: str
) -> None:
    server = start_server(ALLOWED_ORIGINS="https://app.example")
    with server.http() as http:
        cookies = http.get("/admin/login/").headers.get_list("set-cookie")
        assert cookies
        for cookie in cookies:
            assert cookie.startswith("__Host-")
            assert {"Secure", "Path=/", "SameSite=Strict"} <= set(cookie.replace("; ", ";").split(";"))
        token = cookies[0].partition("=")[2].partition(";")[0]
        headers = {"Cookie": f"__Host-csrf={token}", "X-CSRFToken": token}
        own = http.post("/admin/login/", headers={**headers, "Origin": server.base_url})
        assert own.status_code == 200
        other = http.post("/admin/login/", headers={**headers, "Origin": origin})
        assert other.status_code == 403
