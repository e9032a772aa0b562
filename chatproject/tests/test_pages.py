"""Pages for people and tools: the documents, the schema, metrics. About six seconds."""

import re
from typing import Any

import httpx
import pytest

from chatproject.routing import registry
from foundation.errors import ERRORS
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # pages without data

CONTRACT_PATHS = {
    "/api/auth/signup": {"post"},
    "/api/auth/login": {"post"},
    "/api/auth/refresh": {"post"},
    "/api/auth/logout": {"post"},
    "/api/auth/sessions": {"get"},
    "/api/auth/sessions/{session_id}": {"delete"},
    "/api/auth/password": {"post"},
    "/api/users/me": {"get", "patch"},
    "/api/users/{user_id}": {"get"},
    "/api/users": {"get"},
    "/api/users/{user_id}/presence": {"get"},
    "/api/rooms": {"get", "post"},
    "/api/rooms/direct": {"post"},
    "/api/rooms/{room_id}": {"get", "patch", "delete"},
    "/api/rooms/{room_id}/members": {"post"},
    "/api/rooms/{room_id}/members/{user_id}": {"patch", "delete"},
    "/api/rooms/{room_id}/messages": {"get", "post"},
    "/api/rooms/{room_id}/messages/{message_id}": {"patch", "delete"},
    "/api/rooms/{room_id}/messages/{message_id}/receipts": {"get"},
    "/api/rooms/{room_id}/messages/{message_id}/report": {"post"},
    "/api/rooms/{room_id}/presence": {"get"},
    "/api/messages/search": {"get"},
}


@pytest.fixture(scope="module")
def http(server: ChatServer) -> httpx.Client:
    return server.http()


@pytest.fixture(scope="module")
def schema(http: httpx.Client) -> dict[str, Any]:
    answer = http.get("/api/schema", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.mark.parametrize("path", ["/docs", "/docs/events"])
def test_page_when_opened_then_needs_no_file_of_another_site(http: httpx.Client, path: str) -> None:
    page = http.get(path)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    files = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page.text)
    assert files
    for file in files:
        assert re.match(r"/(static/|docs\?script=)", file), (
            file
        )  # Swagger UI's settings are a script of /docs
        assert http.get(file).status_code == 200, file
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page.text)


def test_root_when_opened_then_redirects_to_the_docs(http: httpx.Client) -> None:
    answer = http.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")


def test_events_page_when_opened_then_shows_every_event(http: httpx.Client) -> None:
    page = http.get("/docs/events").text
    for event in (*registry.events, *registry.server_events, "error:&lt;code&gt;"):
        assert f"<code>{event}</code>" in page
    for code in ("4401", "4403", "4408", "4429", "1009", "1012"):
        assert code in page


def test_schema_when_validated_then_has_no_warning(server: ChatServer) -> None:
    run = server.manage("spectacular", "--validate", "--fail-on-warn", check=False)
    assert run.returncode == 0, run.stderr
    assert "warning" not in run.stderr.lower()


def test_schema_when_read_then_has_every_path_of_the_contract(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    for path, methods in CONTRACT_PATHS.items():
        assert methods <= set(schema["paths"].get(path, {})), path


def test_schema_when_read_then_has_the_error_shape_everywhere(schema: dict[str, Any]) -> None:
    detail = schema["components"]["schemas"]["ErrorDetail"]
    assert set(detail["properties"]) == {"code", "message", "fields", "retryAfter", "requestId"}
    assert set(detail["required"]) == {"code", "message", "requestId"}
    assert set(detail["properties"]["code"]["enum"]) == set(ERRORS)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for status in ("400", "429", "503"):
                content = operation["responses"][status]["content"]["application/json"]
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}, (
                    path,
                    method,
                    status,
                )


def test_metrics_when_read_then_have_the_format_of_prometheus(http: httpx.Client) -> None:
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert re.search(r"^chat_sockets\S* \d", answer.text, re.MULTILINE)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/events", "/api/schema", "/admin/", "/healthz", "/readyz", "/metrics",
             "/api/rooms", "/nowhere", "/static/chatproject/events.css"]
)  # fmt: skip
def test_answer_when_sent_then_has_a_request_id_of_its_own(http: httpx.Client, path: str) -> None:
    ids = [http.get(path).headers["X-Request-ID"] for _ in range(2)]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{8,64}", request_id) for request_id in ids)
    assert ids[0] != ids[1]
