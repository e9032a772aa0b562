"""Refresh, logout, the list of sessions, and changes of the password."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from accounts import sessions, tokens
from accounts.models import Session, User
from foundation import loop, times
from foundation.errors import TokenReused
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser

from .forge import claims_of, session_id_of, sign

NEW_PASSWORD = "entirely other words 7"


def refresh(user: ChatUser, token: str | None = None) -> httpx.Response:
    body = {"refreshToken": token or user.refresh_token}
    return user.server.http().post("/api/auth/refresh", json=body)


def jti_of(token: str) -> str:
    return str(claims_of(token)["jti"])


def expiry_of(token: str) -> int:
    return int(claims_of(token)["exp"])


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


async def test_refresh_when_the_successor_was_used_then_the_session_ends(alice: ChatUser) -> None:
    other = alice.login()
    async with alice.connect() as client:
        second = refresh(alice).json()["refreshToken"]
        third = refresh(alice, second).json()["refreshToken"]
        assert code_of(refresh(alice)) == "401 token_reused"
        assert await client.close_code() == 4401
    assert code_of(refresh(alice, third)) == "401 unauthenticated"
    assert code_of(refresh(alice, second)) == "401 token_reused"
    assert not is_in(alice)
    assert is_in(other)


@pytest.mark.smoke
async def test_refresh_when_its_answer_was_lost_then_gives_the_successor(alice: ChatUser) -> None:
    async with alice.connect() as client:
        lost, again = refresh(alice).json(), refresh(alice).json()
        assert jti_of(again["refreshToken"]) == jti_of(lost["refreshToken"]) != jti_of(alice.refresh_token)
        assert expiry_of(again["refreshToken"]) == expiry_of(lost["refreshToken"])
        for pair in (lost, again):
            answer = alice.server.http(Authorization=f"Bearer {pair['accessToken']}").get("/api/users/me")
            assert answer.json()["id"] == alice.id
        await client.reply("ping")
    assert refresh(alice, again["refreshToken"]).status_code == 200
    # The other copy is of the same token, whose successor was not used either.
    assert refresh(alice, lost["refreshToken"]).status_code == 200


@pytest.mark.smoke
def test_refresh_when_two_processes_get_it_then_both_give_the_same(
    start_server: Callable[..., ChatServer],
) -> None:
    one = start_server()
    two = start_server(DATA_DIR=one.env["DATA_DIR"])
    alice = one.sign_up("alice")
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            answers = list(pool.map(refresh, [alice, alice.on(two)] * 3))
            assert [answer.status_code for answer in answers] == [200] * 6
            tokens = [answer.json()["refreshToken"] for answer in answers]
            assert len({jti_of(token) for token in tokens}) == 1
            alice.refresh_token = tokens[-1]
    assert is_in(alice)


async def test_refresh_when_repetitions_are_off_then_the_session_ends(
    start_server: Callable[..., ChatServer],
) -> None:
    alice = start_server(REFRESH_REUSE_SECONDS="0").sign_up("alice")
    async with alice.connect() as client:
        newer = refresh(alice).json()["refreshToken"]
        assert code_of(refresh(alice)) == "401 token_reused"
        assert await client.close_code() == 4401
    assert code_of(refresh(alice, newer)) == "401 unauthenticated"


@pytest.mark.parametrize(("age_seconds", "repeated"), [(20, True), (31, False)])
def test_refresh_when_the_token_was_used_before_then_its_age_decides(
    user: User, age_seconds: int, repeated: bool
) -> None:
    client = {"ip": "192.0.2.1", "user_agent": "test"}
    pair = loop.call(sessions.open_session(user=user, **client))
    claims = tokens.verify_refresh(pair.refresh_token)
    successor = loop.call(sessions.refresh_tokens(claims=claims, **client))
    Session.objects.update(rotated_at=times.now() - timedelta(seconds=age_seconds))
    if repeated:
        again = loop.call(sessions.refresh_tokens(claims=claims, **client))
        assert jti_of(again.refresh_token) == jti_of(successor.refresh_token)
    else:
        with pytest.raises(TokenReused):
            loop.call(sessions.refresh_tokens(claims=claims, **client))
    assert Session.objects.filter(revoked_at=None).exists() is repeated


def test_refresh_when_the_session_has_ended_then_is_not_repeated(alice: ChatUser) -> None:
    newer = refresh(alice).json()["refreshToken"]
    assert alice.server.http().post("/api/auth/logout", json={"refreshToken": newer}).status_code == 204
    assert code_of(refresh(alice)) == "401 token_reused"
    assert code_of(refresh(alice, newer)) == "401 unauthenticated"


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
