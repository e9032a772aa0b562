"""Every refused request gets an error of the same shape. About four seconds."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.kit.errors import error_of
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser

NOBODY = "01900000-0000-7000-8000-000000000000"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api/nowhere",
        "/api/rooms/",
        "/api/users/me/",
        "/docs/nothing",
        "/static/nothing.css",
        "/%00",
    ],
)
def test_path_when_it_does_not_exist_then_is_404(server: ChatServer, ann: ChatUser, path: str) -> None:
    for http in (server.http(), ann.http):
        error_of(http.get(path), 404, "not_found")
        error_of(http.post(path, json={}), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/rooms"),
        ("DELETE", "/api/rooms"),
        ("POST", f"/api/rooms/{NOBODY}"),
        ("GET", "/api/rooms/direct"),
        ("GET", f"/api/rooms/{NOBODY}/members"),
        ("GET", f"/api/rooms/{NOBODY}/messages/{NOBODY}"),
        ("POST", "/api/messages/search"),
    ],
)
def test_method_when_it_is_not_allowed_then_405_names_the_allowed(
    ann: ChatUser, method: str, path: str
) -> None:
    answer = ann.http.request(method, path)
    error_of(answer, 405, "invalid")
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_body_when_it_has_another_type_then_is_415(ann: ChatUser, content_type: str) -> None:
    answer = ann.http.post("/api/rooms", content=b"name=x", headers={"Content-Type": content_type})
    error_of(answer, 415, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"x", b'{"name": NaN}', b'{"name": 1e999}', b'{"name": "\\ud800"}', b'{"name": "\xff"}',
        b'{"name": "x"} {}',
        b"[" * 100_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000, b'{"name": "\x00"}', "{}".encode("utf-16"),
    ],
    ids=lambda body: repr(body)[:30],
)  # fmt: skip
def test_body_when_it_is_not_json_then_is_invalid(ann: ChatUser, body: bytes) -> None:
    error_of(ann.http.post("/api/rooms", content=body, headers=JSON), 400, "invalid")


@pytest.mark.parametrize("body", [[], "x", 5, None, True, [{"name": "x"}]])
def test_body_when_it_is_no_object_then_is_invalid(ann: ChatUser, body: Any) -> None:
    answer = ann.http.post("/api/rooms", content=json.dumps(body), headers=JSON)
    assert error_of(answer, 400, "invalid", *answer.json()["error"].get("fields", {}))


def test_body_when_it_is_empty_then_names_the_missing_fields(ann: ChatUser) -> None:
    error_of(ann.http.post("/api/rooms"), 400, "invalid", "name")
    error_of(ann.http.post("/api/rooms", content=b"", headers=JSON), 400, "invalid", "name")


def test_body_when_it_is_too_large_then_is_413(ann: ChatUser) -> None:
    body = json.dumps({"name": "x" * 300_000})
    error_of(ann.http.post("/api/rooms", content=body, headers=JSON), 413, "too_large")


def test_host_when_it_is_unknown_then_is_400(server: ChatServer) -> None:
    error_of(server.http().get("/api/rooms", headers={"Host": "evil.example"}), 400, "invalid")


def test_accept_when_the_format_is_unknown_then_is_406(ann: ChatUser) -> None:
    error_of(ann.http.get("/api/rooms", headers={"Accept": "text/csv"}), 406, "invalid")


@pytest.mark.parametrize(
    "path", ["/api/rooms", f"/api/rooms/{NOBODY}", "/api/messages/search?q=x", "/api/users/me"]
)
def test_request_when_it_has_no_token_then_401_names_the_scheme(server: ChatServer, path: str) -> None:
    answer = server.http().get(path)
    error_of(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


class Browser:
    """A client with a session cookie. It sends cookies itself, because they are Secure and the tests use HTTP."""

    def __init__(self, server: ChatServer, email: str) -> None:
        self.http, self.cookies = server.http(), dict[str, str]()
        self.request("GET", "/admin/login/")
        form = {"username": email, "password": PASSWORD, "csrfmiddlewaretoken": self.cookies["__Host-csrf"]}
        assert self.request("POST", "/admin/login/?next=/admin/", data=form).status_code == 302

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookie, "Referer": str(self.http.base_url), **options.pop("headers", {})}
        answer = self.http.request(method, path, headers=headers, **options)
        for header in answer.headers.get_list("set-cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


@pytest.fixture(scope="module")
def browser(server: ChatServer) -> Browser:
    email = "browser@example.com"
    server.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    server.manage("createsuperuser", "--noinput", "--username", "browser", "--email", email)
    return Browser(server, email)


def test_write_when_a_session_has_no_csrf_token_then_is_403(browser: Browser) -> None:
    error_of(browser.request("POST", "/api/rooms", json={"name": "x"}), 403, "forbidden")
    error_of(browser.http.post("/admin/login/", data={"username": "x"}), 403, "forbidden")
    headers = {"X-CSRFToken": browser.cookies["__Host-csrf"]}
    assert browser.request("POST", "/api/rooms", json={"name": "x"}, headers=headers).status_code == 201


FORM, FILES = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="x"%s\r\n\r\nx\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"x=1&" * 5_000),
        (f"{FORM}; charset=utf-16", b"x=1"),
        (FILES, PART % b'; filename="x"' * 200 + b"--b--\r\n"),
        ("multipart/form-data", b"x"),
        (f"{FILES}; charset=hex", PART % b"" + b"--b--\r\n"),
        (f"{FILES}; charset=idna", PART % b"" + b"--b--\r\n"),
    ],
    ids=["fields", "charset", "files", "no boundary", "no text charset", "charset that raises"],
)
def test_form_when_it_cannot_be_read_then_is_invalid(
    browser: Browser, content_type: str, body: bytes
) -> None:
    headers = {"Content-Type": content_type}
    error_of(browser.request("POST", "/admin/login/", content=body, headers=headers), 400, "invalid")
    error_of(browser.request("POST", "/api/rooms", content=body, headers=headers), 415, "invalid")


def test_browsable_api_when_logged_in_then_pages_use_our_files_only(browser: Browser, ann: ChatUser) -> None:
    headers = {"X-CSRFToken": browser.cookies["__Host-csrf"]}
    room = browser.request("POST", "/api/rooms", json={"name": "<b>x</b>"}, headers=headers).json()
    message = browser.request(
        "POST", f"/api/rooms/{room['id']}/messages", json={"content": "<i>x"}, headers=headers
    )
    assert message.status_code == 201
    room_path = f"/api/rooms/{room['id']}"
    for path in (
        "/api/rooms", room_path, f"{room_path}/messages", f"{room_path}/presence", "/api/messages/search?q=x",
        f"{room_path}/messages/{message.json()['id']}/receipts", "/api/users/me", "/api/users",
        "/api/auth/sessions", f"/api/users/{ann.id}",
    ):  # fmt: skip
        page = browser.request("GET", path, headers={"Accept": "text/html"})
        assert page.status_code == 200, (path, page.text[:500])
        assert page.headers["Content-Type"].startswith("text/html")
        assert "<b>x</b>" not in page.text
        files = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', page.text)
        assert files
        assert all(file.startswith("/static/") for file in files), files
        assert all(browser.http.get(file).status_code == 200 for file in files)


@pytest.fixture(scope="module")
def limited() -> Iterator[ChatServer]:
    """Has limits for a day: windows begin at fixed times, and one of an hour would sometimes end in the test."""
    server = ChatServer(
        RATE_LIMITS="on", LIMIT_REST_USER="4/1d", LIMIT_REST_ANON="8/1d", LIMIT_SIGNUP_IP="3/1d"
    )
    try:
        yield server.start()
    finally:
        server.stop()


def test_requests_when_over_the_limits_then_are_429_with_retry_after(limited: ChatServer) -> None:
    one, other = limited.sign_up(), limited.sign_up()  # two requests of this address
    assert [one.http.get("/api/users/me").status_code for _ in range(4)] == [200] * 4
    error = error_of(one.http.get("/api/rooms"), 429, "rate_limited")
    assert 0 < error["retryAfter"] <= 24 * 3600
    assert other.http.get("/api/rooms").status_code == 200
    http = limited.http()
    answers = [http.get("/api/rooms").status_code for _ in range(6)]
    assert answers == [401] * 6, "requests without a token count as the address's"
    error_of(http.get("/api/rooms"), 429, "rate_limited")
    login = {"email": "a@b.example", "password": "x"}
    error_of(http.post("/api/auth/login", json=login), 401, "invalid_credentials")
    error_of(http.get("/api/rooms", headers={"Authorization": "Bearer x"}), 401, "unauthenticated")
    assert other.http.get("/api/rooms").status_code == 200
    for free in ("/healthz", "/readyz", "/api/schema", "/docs"):
        assert http.get(free).status_code == 200


def test_limits_when_off_then_count_nothing(start_server: Callable[..., ChatServer]) -> None:
    server = start_server(
        RATE_LIMITS="off", LIMIT_REST_USER="1/1d", LIMIT_FRAMES="1/1d", LIMIT_MESSAGES_USER="1/1d"
    )
    user = server.sign_up()
    room_id = user.make_room()
    for n in range(3):
        user.send(room_id, f"m{n}")
