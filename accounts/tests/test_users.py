"""GET, PATCH /api/users/me, GET /api/users/{id}, and the search."""

import re
import uuid
from typing import Any

import pytest

from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .conftest import AdminBrowser

PUBLIC = {"id", "username", "displayName", "avatarUrl", "createdAt", "lastSeen"}


def found(user: ChatUser, search: str) -> list[str]:
    answer = user.http.get("/api/users", params={"search": search})
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


def test_me_when_read_then_shows_my_email(alice: ChatUser) -> None:
    me = alice.http.get("/api/users/me").json()
    assert set(me) == PUBLIC | {"roles", "email"}
    assert me["email"] == alice.email
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", me["createdAt"])


def test_user_when_read_by_another_then_shows_no_email(alice: ChatUser, bob: ChatUser) -> None:
    answer = alice.http.get(f"/api/users/{bob.id}")
    assert set(answer.json()) == PUBLIC
    assert bob.email not in answer.text


def test_user_when_staff_is_read_by_another_then_shows_no_role(admin: AdminBrowser, alice: ChatUser) -> None:
    (found_by_name,) = alice.http.get("/api/users", params={"search": admin.name}).json()["results"]
    assert set(found_by_name) == PUBLIC
    answer = alice.http.get(f"/api/users/{found_by_name['id']}")
    assert set(answer.json()) == PUBLIC
    assert "superuser" not in answer.text


@pytest.mark.parametrize("user_id", ["01900000-0000-7000-8000-000000000000", "nobody", "%00", "1"])
def test_user_when_unknown_then_is_404(alice: ChatUser, user_id: str) -> None:
    answer = alice.http.get(f"/api/users/{user_id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_me_when_patched_then_others_see_it(alice: ChatUser, bob: ChatUser) -> None:
    change = {"displayName": "Alice <b>Ω</b>", "avatarUrl": "https://example.com/a.png?x=1"}
    assert alice.http.patch("/api/users/me", json=change).status_code == 200
    seen = bob.http.get(f"/api/users/{alice.id}").json()
    assert {name: seen[name] for name in change} == change
    assert alice.http.patch("/api/users/me", json={"avatarUrl": ""}).json()["avatarUrl"] == ""
    assert alice.http.patch("/api/users/me", json={}).json()["displayName"] == change["displayName"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("avatarUrl", "javascript:alert(1)"),
        ("avatarUrl", "ftp://example.com/a"),
        ("avatarUrl", "//example.com/a"),
        ("avatarUrl", "https://example.com/" + "a" * 500),
        ("avatarUrl", None),
        ("displayName", "   "),
        ("displayName", "a\x00b"),
        ("displayName", "a\u0085b"),
        ("displayName", 5),
        ("email", "new@example.com"),
        ("roles", ["superuser"]),
        ("isActive", False),
    ],
)
def test_me_when_patched_with_a_bad_field_then_stays(alice: ChatUser, field: str, value: Any) -> None:
    before = alice.http.get("/api/users/me").json()
    answer = alice.http.patch("/api/users/me", json={field: value})
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [field])
    assert alice.http.get("/api/users/me").json() == before


@pytest.mark.smoke
def test_search_when_by_prefix_in_any_case_then_finds_both_names(alice: ChatUser, bob: ChatUser) -> None:
    mark = uuid.uuid4().hex[:8]
    bob.http.patch("/api/users/me", json={"displayName": f"ÉLAN{mark} Straße"})
    assert found(alice, bob.username.upper()) == [bob.id]
    assert found(alice, f"élan{mark} STRASSE") == [bob.id]
    assert found(alice, f" élan{mark}") == [bob.id]
    assert found(alice, f"{mark} Straße") == []


@pytest.mark.parametrize("wild", ["%", "_", ".*", "^", "\\", "al%", "al_ce", "\U0010ffff", "$ne"])
def test_search_when_the_text_has_wildcards_then_they_are_literal(alice: ChatUser, wild: str) -> None:
    assert alice.id not in found(alice, wild)


def test_search_when_the_text_is_bad_then_names_the_field(alice: ChatUser) -> None:
    for search in ("a\x00b", "x" * 65):
        answer = alice.http.get("/api/users", params={"search": search})
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["search"])


def test_search_when_a_user_is_deactivated_then_leaves_it_out(alice: ChatUser, deactivated: ChatUser) -> None:
    assert found(alice, deactivated.username) == []
    assert alice.http.get(f"/api/users/{deactivated.id}").json()["username"] == deactivated.username


def test_search_when_without_text_then_pages_through_all_users(server: ChatServer, alice: ChatUser) -> None:
    mark = f"p{uuid.uuid4().hex[:6]}"
    made = [server.sign_up(f"{mark}{number}").id for number in range(3)]
    names, url = [], "/api/users?limit=2"
    while url:
        page = alice.http.get(url).json()
        names += [(user["username"].lower(), user["id"]) for user in page["results"]]
        url = page["next"]
    assert names == sorted(names)
    assert [user_id for name, user_id in names if name.startswith(mark)] == made


def test_user_when_deactivated_then_every_request_is_forbidden(
    server: ChatServer, admin: AdminBrowser, bob: ChatUser
) -> None:
    admin.act("user", "deactivate", bob.id)
    answer = bob.http.get("/api/users/me")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    admin.act("user", "reactivate", bob.id)
    # The old session stays ended.
    assert bob.http.get("/api/users/me").status_code == 401
    assert bob.login().http.get("/api/users/me").status_code == 200
