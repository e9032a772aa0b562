"""A moderator in the admin, over real HTTP. Knows pages and forms; imports nothing of the server."""

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


class Desk:
    """A new superuser of the server, logged in. Cookies go by hand: they are for https, which tests have not."""

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
        data = {"csrfmiddlewaretoken": self.cookies["csrftoken"], **fields}
        return self._send("POST", path, data=data)

    def page(self, path: str, **query: Any) -> str:
        """The page's text, without tags and entities."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, (answer.status_code, answer.text[:2000])
        return text_of(answer.text)

    def act(self, model: str, action: str, *pks: Any, reason: str = "against the rules") -> str:
        """Carry out an action on rows, through the page that asks for the reason; the list's text after it."""
        path = f"/admin/{model}/"
        fields = {"action": action, SELECTED: [str(pk) for pk in pks]}
        asked = self.post(path, **fields)
        assert asked.status_code == 200, asked.text
        assert 'name="reason"' in asked.text
        answer = self.post(path, **fields, confirmed="yes", reason=reason)
        assert answer.status_code == 302, answer.text
        return self.page(answer.headers["location"])


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
