"""A moderator who uses the admin pages over HTTP."""

import html
import os
import re
import uuid
from http.cookies import SimpleCookie
from typing import Any

import httpx

from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

SELECTED = "_selected_action"


class Moderator:
    """A new superuser of the server, logged in.

    The cookies are sent by hand, because they are for https and the tests use http.
    """

    def __init__(self, server: ChatServer) -> None:
        self.server = server
        self.name = f"mod_{uuid.uuid4().hex[:8]}"
        self.cookies: dict[str, str] = {}
        os.environ["DJANGO_SUPERUSER_PASSWORD"] = server.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        server.manage(
            "createsuperuser", "--noinput", f"--username={self.name}", f"--email={self.name}@example.com"
        )
        self.get("/admin/login/")
        answer = self.post(
            "/admin/login/", username=f"{self.name}@example.com", password=PASSWORD, next="/admin/"
        )
        assert answer.status_code == 302, answer.text

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self.server.http(Cookie=cookie) as http:
            answer = http.request(method, path, **kwargs)
        for header in answer.headers.get_list("set-cookie"):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
        return answer

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self._send("GET", path, params=query)

    def post(self, path: str, **fields: Any) -> httpx.Response:
        data = {"csrfmiddlewaretoken": self.cookies["__Host-csrf"], **fields}
        return self._send("POST", path, data=data)

    def page(self, path: str, **query: Any) -> str:
        """The text of a page, without tags and entities."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, (answer.status_code, answer.text[:2000])
        return text_of(answer.text)

    def act(self, model: str, action: str, *pks: Any, reason: str = "against the rules") -> str:
        """Run an action on rows, through the page that asks for a reason. Returns the text of the list after it."""
        path = f"/admin/{model}/"
        fields = {"action": action, SELECTED: [str(pk) for pk in pks]}
        asked = self.post(path, **fields)
        assert asked.status_code == 200, asked.text
        assert 'name="reason"' in asked.text
        answer = self.post(path, **fields, confirmed="yes", reason=reason)
        assert answer.status_code == 302, answer.text
        return self.page(answer.headers["location"])

    def row_ids(self, model: str, **query: Any) -> list[str]:
        """The ids of the rows that a list shows, for example of `rooms/room`."""
        page = self.get(f"/admin/{model}/", **query).text
        return list(dict.fromkeys(re.findall(rf'href="/admin/{model}/([0-9a-f-]{{36}})/change/', page)))

    def audit_log(self, **query: Any) -> str:
        """The text of the newest page of the audit log."""
        return self.page("/admin/moderation/auditentry/", **query)


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
