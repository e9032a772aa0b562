"""POST /api/auth/signup and /api/auth/login."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser


def new_body(**changes: Any) -> dict[str, Any]:
    name = f"New.{uuid.uuid4().hex[:8]}"
    return {"username": name, "email": f"{name}@Example.com", "password": PASSWORD} | changes


def error_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json()["error"])


@pytest.mark.smoke
def test_signup_when_all_fields_are_given_then_the_tokens_work(server: ChatServer) -> None:
    body = new_body(displayName="  Zoë 🦊 ")
    answer = server.http().post("/api/auth/signup", json=body)
    assert answer.status_code == 201
    user = answer.json()["user"]
    assert (user["username"], user["displayName"]) == (body["username"], "Zoë 🦊")
    assert (user["email"], user["roles"], user["lastSeen"]) == (body["email"].lower(), ["user"], None)
    assert "password" not in answer.text
    assert ChatUser(server, answer.json()).http.get("/api/users/me").json() == user
    assert PASSWORD not in server.log.read_text()


def test_signup_when_without_display_name_then_shows_the_username(server: ChatServer) -> None:
    body = new_body()
    user = server.http().post("/api/auth/signup", json=body).json()["user"]
    assert user["displayName"] == body["username"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "a" * 33),
        ("username", "two words"),
        ("username", "mail@like"),
        # Begins with a Cyrillic letter.
        ("username", "\u0430lice"),
        ("username", 7),
        ("username", "nul\x00nul"),
        ("email", "nobody"),
        ("email", "a@b@c.de"),
        ("email", "x" * 250 + "@example.com"),
        ("email", None),
        ("password", "short1"),
        ("password", "password123"),
        ("password", "83726492837"),
        ("password", "x" * 257),
        ("password", "with a bell\x07 in it"),
        ("displayName", "x" * 65),
        ("displayName", ""),
        ("displayName", "two\nlines"),
        ("displayName", "esc\x1b[31m"),
        ("displayName", ["a"]),
        ("displayName", "\u200b"),
        ("displayName", "\u3164 \u2800"),
        ("displayName", "a\u2028b"),
        ("displayName", "\u202eevil"),
        ("username", "admin"),
        ("username", "Ad.Min"),
        ("username", "everyone"),
        ("email", "ann@\u200b.example"),
        ("isStaff", True),
    ],
)
def test_signup_when_a_field_is_bad_then_names_it(server: ChatServer, field: str, value: Any) -> None:
    error = error_of(server.http().post("/api/auth/signup", json=new_body(**{field: value})), 400)
    assert (error["code"], list(error["fields"])) == ("invalid", [field])


def test_signup_when_password_is_like_the_username_then_is_invalid(server: ChatServer) -> None:
    body = new_body()
    error = error_of(
        server.http().post("/api/auth/signup", json=body | {"password": body["username"] + "1"}), 400
    )
    assert "similar" in error["fields"]["password"][0]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"x"', b"{", b'{"username": "\\ud800abc"}', b"\xff\xfe", b"[" * 9999]
)
def test_signup_when_the_body_is_no_object_then_is_invalid(server: ChatServer, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = server.http().post("/api/auth/signup", content=body, headers=headers)
    assert error_of(answer, 400)["code"] == "invalid"


@pytest.mark.parametrize("field", ["username", "email"])
def test_signup_when_the_name_is_taken_in_other_case_then_conflicts(server: ChatServer, field: str) -> None:
    first = new_body()
    assert server.http().post("/api/auth/signup", json=first).status_code == 201
    error = error_of(
        server.http().post("/api/auth/signup", json=new_body(**{field: first[field].swapcase()})), 409
    )
    assert (error["code"], list(error["fields"])) == ("conflict", [field])


def test_signup_when_one_name_is_taken_twice_at_once_then_one_wins(server: ChatServer) -> None:
    body = new_body()
    bodies = [body | {"username": body["username"].swapcase()}, body, body, body]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: server.http().post("/api/auth/signup", json=one), bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {"username", "email"} == {
        field for answer in answers if answer.status_code == 409 for field in answer.json()["error"]["fields"]
    }


@pytest.mark.smoke
def test_login_when_the_email_is_in_other_case_then_opens_a_session(alice: ChatUser) -> None:
    body = {"email": f" {alice.email.upper()} ", "password": PASSWORD}
    answer = alice.server.http().post("/api/auth/login", json=body)
    assert answer.status_code == 200
    assert answer.json()["user"]["id"] == alice.id
    assert answer.json()["refreshToken"] != alice.refresh_token


def test_login_when_the_domain_is_written_otherwise_then_is_one_account(server: ChatServer) -> None:
    domain, ascii_domain = "B\u00fccher.example", "xn--bcher-kva.example"
    body = new_body()
    local = body["username"]
    http = server.http()
    made = http.post("/api/auth/signup", json=body | {"email": f"{local}@{domain}"})
    assert made.json()["user"]["email"] == f"{local}@{ascii_domain}".lower()
    for email in (f"{local}@{domain}", f"{local}@{ascii_domain}"):
        answer = http.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        assert answer.json()["user"]["id"] == made.json()["user"]["id"]
    error = error_of(http.post("/api/auth/signup", json=new_body(email=f"{local}@{ascii_domain}")), 409)
    assert list(error["fields"]) == ["email"]


def test_login_when_typed_on_another_keyboard_then_is_right(server: ChatServer) -> None:
    body, http = new_body(password="cafe\u0301 au lait \ufb01ne"), server.http()
    assert http.post("/api/auth/signup", json=body).status_code == 201
    for password, status in (
        ("caf\u00e9 au lait fine", 200),
        (body["password"], 200),
        ("cafe au lait fine", 401),
    ):
        answer = http.post("/api/auth/login", json={"email": body["email"], "password": password})
        assert answer.status_code == status


def test_login_when_the_email_is_unknown_then_looks_like_a_wrong_password(alice: ChatUser) -> None:
    http = alice.server.http()
    wrong = error_of(http.post("/api/auth/login", json={"email": alice.email, "password": "wrong"}), 401)
    unknown = error_of(
        http.post("/api/auth/login", json={"email": "no@one.example", "password": "wrong"}), 401
    )
    assert wrong["code"] == "invalid_credentials"
    assert {**wrong, "requestId": ""} == {**unknown, "requestId": ""}


def test_login_when_deactivated_then_only_the_right_password_says_so(deactivated: ChatUser) -> None:
    http = deactivated.server.http()
    owner = error_of(
        http.post("/api/auth/login", json={"email": deactivated.email, "password": PASSWORD}), 403
    )
    other = error_of(
        http.post("/api/auth/login", json={"email": deactivated.email, "password": "guess"}), 401
    )
    assert (owner["code"], other["code"]) == ("forbidden", "invalid_credentials")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_login_when_by_another_method_then_is_405(server: ChatServer, method: str) -> None:
    assert error_of(getattr(server.http(), method)("/api/auth/login"), 405)["code"] == "invalid"
