"""Query strings and cursors: every path under /api/ takes the parameters that it declares, and no others."""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from api.views import StrictQuery
from tests.kit.errors import error_of
from tests.kit.users import ChatUser

NOBODY = "01900000-0000-7000-8000-000000000000"
LISTS = ["/api/rooms", "/api/users", "/api/auth/sessions", "/api/messages/search?q=x"]
BAD_LIMITS = [
    "0", "-1", "+5", "201", "9" * 400, "ten", "", "1.5", "5.0", "1e1", "5_0", " 5", "5 ", "05", "0x5",
    "\u0665", "\uff15", "true",
]  # fmt: skip
BAD_CURSORS = [
    "", "x", "zzz!", "%00", "\u0663", "9" * 400,
    *(base64.b64encode(text.encode()).decode() for text in (
        "", "x", "p=", "p=garbage", "p=0\x00", "p=%00", "p=%ff", "o=99999999999", "o=-1", "o=1&o=2", "r=2", "x=1",
        "p=0001-01-01T00:00:00Z", "p=9999-12-31 23:59:59-01:00", "p=0001-01-01 00:00:00+14:00",
        "p=" + "9" * 400, "p={01a20bd1-bed6-707d-bd3a-71bea614e6cb}", "l=nothing&p=ann", "p=a&p=b",
    )),
]  # fmt: skip


def with_query(url: str, **query: str) -> str:
    return str(httpx.URL(url).copy_merge_params(query))


@pytest.fixture
def room_id(ann: ChatUser, ben: ChatUser) -> str:
    return ann.make_room(ben)


@pytest.fixture
def requests(alice: ChatUser, bob: ChatUser) -> list[tuple[str, str, Any]]:
    """A request to each kind of path, all of which are allowed."""
    room_id = alice.make_room(bob)
    message_id = alice.send(room_id, "x")["id"]
    room, message = f"/api/rooms/{room_id}", f"/api/rooms/{room_id}/messages/{message_id}"
    return [
        *(("GET", path, None) for path in LISTS),
        ("GET", "/api/users/me", None),
        ("GET", f"/api/users/{bob.id}", None),
        ("GET", f"/api/users/{bob.id}/presence", None),
        ("GET", room, None),
        ("GET", f"{room}/presence", None),
        ("GET", f"{room}/messages", None),
        ("GET", f"{message}/receipts", None),
        ("POST", f"{room}/messages", {"content": "x"}),
        ("POST", "/api/rooms", {"name": "x"}),
        ("PATCH", "/api/users/me", {"displayName": "Ann"}),
        ("PATCH", message, {"content": "y"}),
        ("DELETE", message, None),
    ]


def test_query_when_a_parameter_is_unknown_then_every_path_names_it(
    alice: ChatUser, requests: list[tuple[str, str, Any]]
) -> None:
    for method, path, body in requests:
        for name in ("nonsense", "Limit", "room_id", "page"):
            answer = alice.http.request(method, with_query(path, **{name: "1"}), json=body)
            error_of(answer, 400, "invalid", name)
        assert alice.http.request(method, path, json=body).is_success, path


def test_query_when_the_schema_is_read_then_takes_the_format_only(ann: ChatUser) -> None:
    assert ann.http.get("/api/schema?format=json").json()["openapi"]
    assert ann.http.get("/api/schema?nonsense=1").status_code == 400


def test_query_when_a_parameter_is_repeated_then_names_it(ann: ChatUser, room_id: str) -> None:
    for path, name in [
        ("/api/rooms?limit=1&limit=1", "limit"),
        ("/api/users?search=a&search=b", "search"),
        ("/api/messages/search?q=x&q=y", "q"),
        (f"/api/rooms/{room_id}/messages?before=1&before=2", "before"),
    ]:
        error_of(ann.http.get(path), 400, "invalid", name)


def test_query_when_it_has_thousands_of_parameters_then_is_invalid(ann: ChatUser) -> None:
    assert ann.http.get("/api/rooms?" + "&".join(["a="] * 1500)).status_code == 400


def test_query_when_it_names_the_format_then_the_browsable_api_has_it(alice: ChatUser) -> None:
    assert alice.http.get("/api/rooms?format=json").json()["results"] == []
    assert alice.http.get("/api/rooms?format=api").headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("limit", BAD_LIMITS, ids=lambda limit: repr(limit)[:20])
def test_limit_when_it_is_no_plain_number_then_every_list_refuses(
    ann: ChatUser, room_id: str, limit: str
) -> None:
    for path in [*LISTS, f"/api/rooms/{room_id}/messages"]:
        error_of(ann.http.get(with_query(path, limit=limit)), 400, "invalid", "limit")


def test_limit_when_it_is_in_range_then_every_list_takes_it(ann: ChatUser, room_id: str) -> None:
    for path in [*LISTS, f"/api/rooms/{room_id}/messages"]:
        for limit in ("1", "200"):
            assert ann.http.get(with_query(path, limit=limit)).status_code == 200


@pytest.mark.parametrize("cursor", BAD_CURSORS, ids=lambda cursor: repr(cursor)[:30])
def test_cursor_when_it_is_forged_then_every_list_refuses(ann: ChatUser, cursor: str) -> None:
    for path in LISTS:
        answer = ann.http.get(with_query(path, cursor=cursor))
        if path == "/api/users" and answer.status_code == 200:
            # A name that no user has is a place in the list of users all the same.
            continue
        error_of(answer, 400, "invalid", "cursor")


def test_cursor_when_it_is_another_lists_then_is_refused(alice: ChatUser, bob: ChatUser) -> None:
    alice.login()
    for room_id in (alice.make_room(bob), alice.make_room(bob)):
        alice.send(room_id, "x")
    links = {path: alice.http.get(with_query(path, limit="1")).json()["next"] for path in LISTS}
    assert all(links.values())
    for path in LISTS:
        for other, link in links.items():
            (cursor,) = parse_qs(urlsplit(link).query)["cursor"]
            answer = alice.http.get(with_query(path, cursor=cursor))
            if path == other:
                assert answer.status_code == 200
            else:
                error_of(answer, 400, "invalid", "cursor")


def test_cursor_when_of_an_earlier_version_then_still_leads_on(alice: ChatUser) -> None:
    rooms = [alice.make_room() for _ in range(2)]
    at = alice.http.get(f"/api/rooms/{rooms[1]}").json()["lastActivityAt"]
    position = at.replace("T", " ").replace("Z", "000+00:00").replace("+", "%2B").replace(":", "%3A")
    cursor = base64.b64encode(f"p={position.replace(' ', '+')}".encode()).decode()
    page = alice.http.get("/api/rooms", params={"cursor": cursor}).json()
    assert [room["id"] for room in page["results"]][:1] == [rooms[0]]


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, prefix + str(entry.pattern))
        else:
            yield prefix + str(entry.pattern), entry


@pytest.mark.once  # views
def test_views_when_under_api_then_all_refuse_unknown_parameters() -> None:
    views = {path: entry.callback for path, entry in patterns(get_resolver()) if path.startswith("api/")}
    assert len(views) > 15
    loose = [
        path
        for path, view in views.items()
        if not issubclass(getattr(view, "cls", getattr(view, "view_class", object)), StrictQuery)
    ]
    assert loose == []
