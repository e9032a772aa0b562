"""Fixtures of the account tests: an admin on the shared server, and a user and a hub in the process of the test."""

import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from accounts.models import User
from foundation import loop
from realtime.hub.hub import Hub, get_hub
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser


class AdminBrowser:
    """A logged-in admin. Handles cookies itself: outside DEBUG they are Secure, and the tests use plain HTTP."""

    def __init__(self, server: ChatServer, login: str) -> None:
        self.name = login
        self.http = server.http()
        self.cookies: dict[str, str] = {}
        self.get("/admin/login/")
        answer = self.post("/admin/login/?next=/admin/", username=login, password=PASSWORD)
        assert answer.status_code == 302, answer.text

    def get(self, path: str) -> httpx.Response:
        return self._request("GET", path)

    def post(self, path: str, **form: Any) -> httpx.Response:
        return self._request("POST", path, data={**form, "csrfmiddlewaretoken": self.cookies["__Host-csrf"]})

    def act(self, model: str, action: str, *ids: str) -> httpx.Response:
        form = {"action": action, "_selected_action": list(ids), "confirmed": "yes", "reason": "a test"}
        answer = self.post(f"/admin/accounts/{model}/", **form)
        assert answer.status_code == 302, answer.text
        return answer

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.http.request(
            method, path, headers={"Cookie": cookie, "Referer": str(self.http.base_url)}, **options
        )
        for header in answer.headers.get_list("set-cookie"):
            name, value = re.match(r"([^=]+)=([^;]*)", header).groups()  # type: ignore[union-attr]
            self.cookies[name] = value
        return answer


@pytest.fixture(scope="session")
def admin(server: ChatServer) -> AdminBrowser:
    name = f"Root_{uuid.uuid4().hex[:8]}"
    server.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    server.manage("createsuperuser", "--noinput", "--username", name, "--email", f"{name}@Example.com")
    return AdminBrowser(server, login=name.upper())


@pytest.fixture
def deactivated(server: ChatServer, admin: AdminBrowser) -> ChatUser:
    user = server.sign_up("gone")
    admin.act("user", "deactivate", user.id)
    return user


@pytest.fixture
def user(transactional_db: Any) -> User:
    """A user in the database of the test's own process."""
    return User.objects.create_user(username="Ann", email="Ann@Example.com", password=PASSWORD)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    loop.adopt()
    yield get_hub()
    await loop.stop()
