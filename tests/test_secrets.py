"""No error and no log contains a password, hash, token or key. About five seconds.

The endpoints come from the URL configuration, so new ones are tested too.
"""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.kit.leaks import MARK, leaks, parts_of
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

from .test_authorisation_matrix import endpoints

NOBODY = "01900000-0000-7000-8000-000000000000"
PARAMETER = re.compile(r"<\w+:(\w+)>")


def refusals(http: httpx.Client, endpoint: str, secrets: dict[str, str]) -> Iterator[httpx.Response]:
    """Yields the answers of an endpoint to wrong requests of every kind, all of them full of secrets."""
    method, route = endpoint.split(" ")
    path = PARAMETER.sub(NOBODY, route)
    token = {"Authorization": f"Bearer {secrets['access token']}"}
    wrong = [
        {name: list(secrets.values()) for name in ("email", "password", "refreshToken", "content", "name")},
        dict.fromkeys(("username", "email", "displayName"), MARK + "\x00")
        | {"password": PASSWORD, "refreshToken": secrets["refresh token"] + "x"}
        | {"currentPassword": PASSWORD, "newPassword": "7"},
    ]
    broken = json.dumps(wrong)[:-20]
    yield http.request(method, path, params={"token": secrets["access token"], "password": PASSWORD})
    yield http.request(method, path, headers={"Authorization": token["Authorization"] + "x"})
    yield http.request("PUT", path, json=wrong[0], headers=token)
    json_type = token | {"Content-Type": "application/json"}
    for body in (broken, *map(json.dumps, wrong)):
        yield http.request(method, path, content=body, headers=json_type)
    yield http.request(method, path, content=broken, headers=token | {"Content-Type": "text/plain"})
    if method != "GET":
        yield http.request(method, path, json=wrong[1], headers=token | {"Accept": "text/html"})


async def test_errors_and_logs_when_requests_hold_secrets_then_repeat_none(
    tmp_path: Path, start_server: Any
) -> None:
    server: ChatServer = start_server(LOG_LEVEL="DEBUG", LOG_DIR=str(tmp_path))
    alice = server.sign_up("alice")
    room_id = alice.make_room()
    secrets = {
        "password": PASSWORD,
        "access token": alice.access_token,
        "refresh token": alice.refresh_token,
        "text": MARK,
        "key": server.env["SECRET_KEY"],
    }
    said = [*secrets.values(), *parts_of(alice.access_token, alice.refresh_token)]
    found: dict[str, list[str]] = {}
    with server.http() as http:
        for endpoint in (*endpoints(), "GET /nowhere", "POST /api/nowhere", "POST /admin/login/"):
            for answer in refusals(http, endpoint, secrets):
                assert answer.status_code < 500, (endpoint, answer.text)
                if answer.status_code >= 400 and (leaked := leaks(answer, said)):
                    found[endpoint] = leaked
    assert found == {}
    alice.http.patch("/api/users/me", json={"displayName": "still here"})
    message = alice.send(room_id, MARK)
    alice.http.get("/api/messages/search", params={"q": MARK})
    alice.http.patch(f"/api/rooms/{room_id}/messages/{message['id']}", json={"content": MARK + " edited"})
    async with alice.connect() as client:
        await client.reply("message:send", {"roomId": room_id, "content": MARK})
        await client.error("auth:refresh", {"token": alice.access_token + "x"})
        await client.error(MARK, {"password": PASSWORD, "token": alice.access_token})
        await client.send_raw(f'{{"event": "message:send", "data": {{"content": "{MARK}"')
        await client.send_raw(f"{MARK} {alice.access_token}".encode())
        await client.read_all()
    server.send_signal(signal.SIGTERM)
    server.wait()
    for log in (server.log, tmp_path / "chat.log"):
        lines = log.read_text(errors="replace").splitlines()
        assert [line for line in lines if any(secret in line for secret in said)] == [], log
    assert alice.id in server.log.read_text()
