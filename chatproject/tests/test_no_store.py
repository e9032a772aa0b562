"""Answers with tokens or private data are stored in no cache."""

import uuid

import httpx
import pytest

from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser

pytestmark = pytest.mark.once  # headers


def is_unstored(answer: httpx.Response) -> bool:
    return answer.headers.get("Cache-Control") == "no-store"


def test_answer_when_it_has_tokens_then_is_not_stored(server: ChatServer) -> None:
    name = f"cache_{uuid.uuid4().hex[:10]}"
    with server.http() as http:
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        answers = [http.post("/api/auth/signup", json=body)]
        del body["username"]
        answers += [http.post("/api/auth/login", json=body)]
        token = answers[-1].json()["refreshToken"]
        answers += [http.post("/api/auth/refresh", json={"refreshToken": token})]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert all(map(is_unstored, answers))


def test_answer_when_private_then_is_not_stored(alice: ChatUser) -> None:
    room_id = alice.make_room()
    alice.send(room_id, "hello")
    paths = ["users/me", "auth/sessions", "rooms", f"rooms/{room_id}", f"rooms/{room_id}/messages"]
    for path in paths:
        answer = alice.http.get(f"/api/{path}")
        assert (answer.status_code, is_unstored(answer)) == (200, True), path


def test_answer_when_refused_then_is_not_stored(server: ChatServer) -> None:
    with server.http() as http:
        answers = [http.get("/api/users/me"), http.get("/api/nothing"), http.get("/api/auth/login")]
        answers += [http.post("/api/auth/login", content=b"x" * 2_000_000)]
    assert [answer.status_code for answer in answers] == [401, 404, 405, 413]
    assert all(map(is_unstored, answers))


def test_poll_when_of_socket_io_then_is_not_stored(alice: ChatUser) -> None:
    for number, status in (("4", 200), ("3", 400)):
        answer = alice.http.get("/socket.io/", params={"EIO": number, "transport": "polling"})
        assert (answer.status_code, is_unstored(answer)) == (status, True)


@pytest.mark.parametrize(
    "path", ["/api/schema", "/docs", "/docs/errors", "/static/chat_client/chat-client.js"]
)
def test_page_when_public_then_may_be_stored(server: ChatServer, path: str) -> None:
    with server.http() as http:
        answer = http.get(path)
    assert (answer.status_code, is_unstored(answer)) == (200, False)
