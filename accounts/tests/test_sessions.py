"""Refresh, logout, the list of sessions, and changes of the password."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.kit.users import PASSWORD, ChatUser

from .forge import session_id_of, sign

NEW_PASSWORD = "entirely other words 7"


def refresh(user: ChatUser, token: str | None = None) -> httpx.Response:
    body = {"refreshToken": token or user.refresh_token}
    return user.server.http().post("/api/auth/refresh", json=body)


def code_of(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.json()['error']['code']}"


def is_in(user: ChatUser) -> bool:
    return user.http.get("/api/users/me").status_code == 200


def test_refresh_when_sent_then_both_new_tokens_work(alice: ChatUser) -> None:
    first = refresh(alice)
    assert first.status_code == 200
    assert set(first.json()) == {"accessToken", "refreshToken"}
    alice.access_token = first.json()["accessToken"]
    assert alice.server.http(alice).get("/api/users/me").json()["id"] == alice.id
    assert refresh(alice, first.json()["refreshToken"]).status_code == 200


async def test_refresh_when_the_token_was_used_then_the_session_ends(alice: ChatUser) -> None:
    other = alice.login()
    async with alice.connect() as client:
        newer = refresh(alice).json()["refreshToken"]
        assert code_of(refresh(alice)) == "401 token_reused"
        assert await client.close_code() == 4401
    assert code_of(refresh(alice, newer)) == "401 unauthenticated"
    assert code_of(refresh(alice)) == "401 token_reused"
    assert not is_in(alice)
    assert is_in(other)


def test_refresh_when_sent_twice_at_once_then_the_session_ends(alice: ChatUser) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: refresh(alice), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    assert {code_of(answer) for answer in answers if answer.status_code == 401} == {"401 token_reused"}
    assert not is_in(alice)


def test_refresh_when_the_token_is_bad_then_names_the_reason(alice: ChatUser) -> None:
    wrong = {"token_type": "refresh", "jti": "0" * 32}
    assert code_of(refresh(alice, alice.access_token)) == "401 unauthenticated"
    assert code_of(refresh(alice, "abc")) == "401 unauthenticated"
    assert code_of(refresh(alice, sign(alice, **wrong, exp=int(time.time()) - 5))) == "401 token_expired"
    assert code_of(refresh(alice, "x" * 3000)) == "400 invalid"
    assert (
        code_of(alice.server.http().post("/api/auth/refresh", json={"refreshToken": None})) == "400 invalid"
    )
    assert is_in(alice)


def test_refresh_when_the_user_is_deactivated_then_is_forbidden(deactivated: ChatUser) -> None:
    assert code_of(refresh(deactivated)) == "403 forbidden"


@pytest.mark.smoke
async def test_logout_when_sent_then_tokens_and_sockets_end(alice: ChatUser) -> None:
    other, http = alice.login(), alice.server.http()
    async with alice.connect() as client, other.connect() as bystander:
        assert http.post("/api/auth/logout", json={"refreshToken": alice.refresh_token}).status_code == 204
        assert await client.close_code() == 4401
        await bystander.reply("ping")
    assert code_of(alice.http.get("/api/users/me")) == "401 unauthenticated"
    assert code_of(refresh(alice)) == "401 unauthenticated"
    assert http.post("/api/auth/logout", json={"refreshToken": alice.refresh_token}).status_code == 204
    assert (
        code_of(http.post("/api/auth/logout", json={"refreshToken": alice.access_token}))
        == "401 unauthenticated"
    )
    assert is_in(other)


def test_sessions_when_listed_then_are_my_own_and_mark_the_current(alice: ChatUser, bob: ChatUser) -> None:
    agent = "Phone\xe9\x85 " + "x" * 400
    body = {"email": alice.email, "password": PASSWORD}
    alice.server.http(**{"User-Agent": agent.encode("latin-1")}).post("/api/auth/login", json=body)  # type: ignore[arg-type]
    page = alice.http.get("/api/auth/sessions").json()
    assert [session["current"] for session in page["results"]] == [False, True]
    newest, current = page["results"]
    assert set(current) == {"id", "createdAt", "lastUsed", "ip", "userAgent", "current"}
    assert current["id"] == session_id_of(alice)
    assert (newest["ip"], newest["userAgent"][:8], len(newest["userAgent"])) == ("127.0.0.1", "Phoneé x", 256)


def test_sessions_when_paged_then_cursors_lead_through_all(alice: ChatUser) -> None:
    alice.login()
    alice.login()
    seen, url = [], "/api/auth/sessions?limit=2"
    while url:
        page = alice.http.get(url).json()
        seen += [session["id"] for session in page["results"]]
        url = page["next"]
    assert len(set(seen)) == len(seen) == 3


async def test_session_when_deleted_then_its_token_and_sockets_end(alice: ChatUser) -> None:
    other = alice.login()
    async with other.connect() as client, alice.connect() as mine:
        assert alice.http.delete(f"/api/auth/sessions/{session_id_of(other)}").status_code == 204
        assert await client.close_code() == 4401
        await mine.reply("ping")
    assert not is_in(other)
    assert code_of(alice.http.delete(f"/api/auth/sessions/{session_id_of(other)}")) == "404 not_found"


@pytest.mark.parametrize("which", ["another user's", "01900000-0000-7000-8000-000000000000", "nonsense"])
def test_session_when_not_mine_then_deleting_it_is_404(alice: ChatUser, bob: ChatUser, which: str) -> None:
    session_id = session_id_of(bob) if which == "another user's" else which
    assert code_of(alice.http.delete(f"/api/auth/sessions/{session_id}")) == "404 not_found"
    assert is_in(bob)


async def test_password_when_changed_then_only_this_session_goes_on(alice: ChatUser) -> None:
    other = alice.login()
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    async with other.connect() as client, alice.connect() as mine:
        assert alice.http.post("/api/auth/password", json=body).status_code == 204
        assert await client.close_code() == 4401
        await mine.reply("ping")
    assert not is_in(other)
    assert code_of(refresh(other)) == "401 unauthenticated"
    assert is_in(alice)
    assert refresh(alice).status_code == 200
    login: Any = {"email": alice.email, "password": PASSWORD}
    assert code_of(alice.server.http().post("/api/auth/login", json=login)) == "401 invalid_credentials"
    login["password"] = NEW_PASSWORD
    assert alice.server.http().post("/api/auth/login", json=login).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("wrong", NEW_PASSWORD, "currentPassword"),
        (PASSWORD, "12345678", "newPassword"),
        (PASSWORD, "", "newPassword"),
    ],
)
def test_password_when_changed_to_a_bad_one_then_names_the_field(
    alice: ChatUser, current: str, new: str, field: str
) -> None:
    other = alice.login()
    answer = alice.http.post("/api/auth/password", json={"currentPassword": current, "newPassword": new})
    assert code_of(answer) == "400 invalid"
    assert list(answer.json()["error"]["fields"]) == [field]
    assert is_in(other)
