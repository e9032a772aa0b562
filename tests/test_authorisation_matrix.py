"""Sends every request and every client event as each actor, and compares with `authorisation`."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView
from websockets.asyncio.client import connect

from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

from .authorisation import ACTORS, EVENTS, REST, row

METHODS = ("get", "post", "put", "patch", "delete")
FAR = "2100-01-01T00:00:00.000Z"


def endpoints() -> list[str]:
    """`METHOD /route` of each path of the server. The admin's own paths have a test below."""
    return [
        f"{method.upper()} /{route}" for route, pattern in walk(get_resolver()) for method in methods(pattern)
    ]


def walk(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if route.startswith(("admin/", "^")) or route == "^api/":
            continue
        if isinstance(pattern, URLResolver):
            yield from walk(pattern, route)
        else:
            yield route, pattern


def methods(pattern: URLPattern) -> list[str]:
    view = pattern.callback
    if actions := getattr(view, "actions", None):
        return [method for method in actions if method != "head"]  # DRF adds it with a view's first request
    kind = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if kind is None or issubclass(kind, RedirectView):
        return ["get"]
    return [method for method in METHODS if hasattr(kind, method)]


class Scene:
    """The actors, and rooms of the owner in which each actor has their role."""

    def __init__(self, server: ChatServer) -> None:
        self.server = server
        names = (*ACTORS[1:], "guest")
        self.users = {name: server.sign_up(name) for name in names}
        self.owner = self.users["owner"]
        self.shared = self.make_room()
        code = "from accounts.models import User\n"
        for name, change in (("staff", "is_staff=True"), ("deactivated", "is_active=False")):
            code += f"User.objects.filter(pk='{self.users[name].id}').update({change})\n"
        server.manage("shell", "-c", code)

    def make_room(self) -> dict[str, Any]:
        insiders = [self.users[name] for name in ("former", "muted", "member", "admin")]
        room_id = self.owner.make_room(*insiders)
        members = f"/api/rooms/{room_id}/members"
        answers = [
            self.owner.http.delete(f"{members}/{self.users['former'].id}"),
            self.owner.http.patch(f"{members}/{self.users['muted'].id}", json={"mutedUntil": FAR}),
            self.owner.http.patch(f"{members}/{self.users['admin'].id}", json={"role": "admin"}),
        ]
        assert [answer.status_code for answer in answers] == [204, 200, 200]
        message = self.owner.send(room_id, "the owner's")
        return {"room_id": room_id, "message_id": message["id"], "user_id": self.owner.id}

    def targets(self, expected: str) -> dict[str, Any]:
        """A new room for an actor who is allowed: the next actor must not see the changes."""
        return self.shared if expected[0] == "4" or expected[:2] in ("no", "fo", "mu") else self.make_room()


@pytest.fixture(scope="module")
def scene(server: ChatServer) -> Scene:
    return Scene(server)


def body(endpoint: str, scene: Scene) -> Any:
    """A valid body, so that only the actor can be the reason to refuse; empty where no token is read."""
    fresh = {
        "PATCH /api/users/me": {},
        "POST /api/auth/password": {"currentPassword": "wrong", "newPassword": PASSWORD},
        "POST /api/rooms": {"name": "mine"},
        "POST /api/rooms/direct": {"userId": scene.users["guest"].id},
        "PATCH /api/rooms/<str:room_id>": {"name": "new"},
        "POST /api/rooms/<str:room_id>/members": {"userId": scene.users["guest"].id},
        "PATCH /api/rooms/<str:room_id>/members/<str:user_id>": {"mutedUntil": None},
        "POST /api/rooms/<str:room_id>/messages": {"content": "hello"},
        "PATCH /api/rooms/<str:room_id>/messages/<str:message_id>": {"content": "other"},
        "POST /api/rooms/<str:room_id>/messages/<str:message_id>/report": {"reason": "spam"},
    }
    return fresh.get(endpoint, {})


def test_endpoints_when_listed_then_each_has_a_row() -> None:
    assert sorted(endpoints()) == sorted(REST)


@pytest.mark.parametrize("endpoint", REST)
def test_endpoint_when_each_actor_asks_then_answers_as_the_table_says(scene: Scene, endpoint: str) -> None:
    method, route = endpoint.split(" ")
    got = {}
    for actor, expected in row(REST[endpoint]).items():
        targets = scene.targets(expected) if "room_id" in route else dict(scene.shared)
        if "session_id" in route:
            # The owner ends another login than the one that asks.
            session = scene.owner.login().http.get("/api/auth/sessions").json()["results"]
            targets["session_id"] = next(entry["id"] for entry in session if entry["current"])
        path = re.sub(r"<str:(\w+)>", lambda name, at=targets: at[name[1]], route)
        http = scene.server.http(scene.users.get(actor))
        sent = {"json": body(endpoint, scene)} if method not in ("GET", "DELETE") else {}
        query = {"q": "x"} if "search" in route else None
        got[actor] = str(http.request(method, path, params=query, **sent).status_code)
    assert got == row(REST[endpoint])


def event_data(event: str, scene: Scene, targets: dict[str, Any]) -> dict[str, Any]:
    """Valid data, so that nothing but the sender is refused."""
    room, message = {"roomId": targets["room_id"]}, {"messageId": targets["message_id"]}
    valid: dict[str, dict[str, Any]] = {
        "message:send": room | {"content": "hello", "clientMessageId": uuid.uuid4().hex},
        "message:ack": room | {"seq": 1, "status": "read"},
        "message:edit": room | message | {"content": "other"},
        "message:delete": room | message,
        "typing": room | {"isTyping": True},
        "presence:query": {"userIds": [scene.owner.id]},
        "resume": {"rooms": {targets["room_id"]: 0}},
        "auth:refresh": {"token": scene.owner.access_token},
        "ping": {},
    }
    assert event in valid, f"{event} is new: add valid data of it"
    return valid[event]


async def ask(client: ChatSocketClient, event: str, data: dict[str, Any]) -> str:
    answer = await client.request(event, data)
    if answer["event"] != "reply":
        return str(answer["data"]["code"])
    found = answer["data"]
    if event == "resume":
        found = found["rooms"]
    return "nothing" if event in ("resume", "presence:query") and not found else "ok"


@pytest.mark.parametrize("actor", ACTORS)
async def test_events_when_an_actor_sends_them_then_answers_as_the_table_says(
    scene: Scene, actor: str
) -> None:
    expected = {event: row(cells)[actor] for event, cells in EVENTS.items()}
    user = scene.users.get(actor)
    headers = {"Authorization": f"Bearer {user.access_token}"} if user else {}
    async with connect(scene.server.ws_url, additional_headers=headers) as ws:
        client = ChatSocketClient(ws)
        if actor in ("anonymous", "deactivated"):
            assert set(expected.values()) == {str(await client.close_code())}
            assert client.frames == []
            return
        await client.expect("ready")
        got = {}
        for event, cell in expected.items():
            got[event] = await ask(client, event, event_data(event, scene, scene.targets(cell)))
        assert got == expected


def admin_routes() -> list[str]:
    found = []
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern) == "admin/":
            found = [str(sub.pattern) for sub in pattern.url_patterns]
    return found


def test_admin_when_asked_without_its_cookie_then_leads_to_its_login(scene: Scene) -> None:
    got = {}
    for route in admin_routes():
        if "<" in route or "(" in route or route.startswith(("login", "logout", "jsi18n")):
            continue
        for actor in ("anonymous", "member", "staff"):
            answer = scene.server.http(scene.users.get(actor)).get(f"/admin/{route}")
            if answer.status_code != 302 or "/admin/login/" not in answer.headers["location"]:
                got[actor, route] = answer.status_code
    assert len(admin_routes()) > 5
    assert got == {}
