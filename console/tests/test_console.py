"""The console in a headless Chromium, used by two people at once. About fifteen seconds.

SCREENSHOTS=<directory> keeps pictures of it for a person to look at.
"""

from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from tests.kit.browser import Window
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

pytestmark = pytest.mark.once  # a page in Chromium


class Console(Window):
    def sign_up(self, name: str) -> None:
        self.fill("signup", username=name, email=f"{name}@example.com", password=PASSWORD)
        self.until(lambda: self.text("#me") == name, "signed in")

    def write(self, content: str) -> None:
        self.one("#content").send_keys(content, Keys.ENTER)

    def messages(self) -> list[str]:
        return self.texts("#messages .content")

    def ticks(self) -> list[str]:
        return self.texts("#messages .tick")

    def frames(self) -> str:
        return str(self.driver.execute_script("return document.querySelector('#frames').textContent"))


def test_console_when_two_people_use_it_then_nothing_is_lost(
    start_server: Callable[..., ChatServer], open_window: Callable[..., Console]
) -> None:
    server = start_server()
    url = f"{server.base_url}/console/"
    alice, bob = open_window(url, Console), open_window(url, Console)
    alice.picture("1-sign-in")
    alice.sign_up("alice")
    bob.sign_up("bobby")

    # A direct room, a message, ticks, presence, typing.
    alice.fill("direct", username="bobby")
    alice.until(lambda: alice.text("#room-name") == "bobby", "the room is open")
    alice.write("Hello Bob!")
    alice.until(lambda: alice.ticks() == ["✓✓ delivered"], "delivered")
    bob.until(lambda: "1 new" in bob.text("#rooms") and "online" in bob.text("#rooms"), "unread and presence")
    bob.click("#rooms button")
    bob.until(lambda: bob.messages() == ["Hello Bob!"], "history")
    alice.until(lambda: alice.ticks() == ["✓✓ read"], "read")
    bob.one("#content").send_keys("H")
    alice.until(lambda: alice.text("#typing") == "bobby is typing…", "typing")
    bob.write("i Alice")
    alice.until(lambda: alice.messages() == ["Hello Bob!", "Hi Alice"], "the answer")
    assert alice.text("#typing") == ""
    bob.picture("2-talk")

    # Edit and delete.
    bob.click("#messages li.mine button")
    bob.one("#content").clear()
    bob.write("Hi Alice, edited")
    alice.until(lambda: alice.messages()[-1] == "Hi Alice, edited", "the edit")
    bob.click("#messages li.mine button[aria-label^=Delete]")
    alice.until(lambda: alice.messages()[-1] == "deleted", "the deletion")

    # The connection is cut by hand, then with the server. No message is missing or repeated.
    bob.click("#cut")
    for number in range(3):
        alice.write(f"while away {number}")
    expected = ["Hello Bob!", "deleted", "while away 0", "while away 1", "while away 2"]
    bob.until(lambda: bob.messages() == expected, "resumed")
    server.kill()
    alice.until(lambda: alice.text("#status") == "connecting…", "noticed")
    alice.write("while the server is down")
    assert alice.ticks()[-1] == "sending…"
    server.start(migrate=False)
    expected.append("while the server is down")
    bob.until(lambda: bob.messages() == expected, "resumed after the restart")
    alice.until(lambda: alice.ticks()[-1] == "✓✓ read", "read after the restart")

    # A frame sent by hand, and its error with the link to its explanation.
    alice.fill("raw", event="mesage:send", data="{}")
    alice.until(lambda: "Did you mean message:send?" in alice.text("#alert"), "the error")
    assert alice.one("#alert a").get_attribute("href").endswith("/docs/errors#unknown_event")
    assert "error:unknown_event" in alice.frames()
    alice.picture("3-error")
    assert [window.complaints() for window in (alice, bob)] == [[], []]


def test_console_when_scrolled_up_then_loads_older_messages(
    server: ChatServer, open_window: Callable[..., Console]
) -> None:
    carol, dave = server.sign_up("carol"), server.sign_up("dave")
    room_id = carol.make_room(dave, name="history")
    for number in range(100):
        carol.send(room_id, f"message {number}")
    window = open_window(f"{server.base_url}/console/", Console)
    window.fill("login", email=dave.email, password=PASSWORD)
    window.until(lambda: "history" in window.text("#rooms"), "rooms")
    window.click("#rooms button")
    window.until(lambda: len(window.messages()) == 40, "the first page")
    script = "document.querySelector('#scroll').scrollTop = 0"
    window.until(
        lambda: window.driver.execute_script(script) or len(window.messages()) == 100, "all of the history"
    )
    assert window.messages() == [f"message {number}" for number in range(100)]
    window.driver.refresh()
    window.until(lambda: window.text("#me") == dave.username, "signed in still")
    window.picture("4-history")
    assert window.complaints() == []


def test_pages_when_opened_then_the_browser_reports_no_error(
    server: ChatServer, open_window: Callable[..., Window]
) -> None:
    window = open_window(f"{server.base_url}/docs")
    window.until(lambda: "Sign" in window.text("body") or "auth" in window.text("#swagger-ui"), "Swagger UI")
    window.until(lambda: "/api/auth/signup" in window.text("#swagger-ui"), "the operations")
    window.picture("5-docs")
    for page in ("/docs/events", "/docs/errors", "/admin/login/"):
        window.driver.get(server.base_url + page)
        window.picture("6-" + page.strip("/").replace("/", "-"))
    assert window.complaints() == []


def test_console_when_switched_off_then_is_not_found(start_server: Callable[..., ChatServer]) -> None:
    with start_server(CONSOLE="off", SOCKETIO="off").http() as http:
        assert http.get("/socket.io/", params={"EIO": "4", "transport": "polling"}).status_code == 404
        assert http.get("/console/").status_code == 404
        assert http.get("/docs").status_code == 200


@pytest.mark.parametrize("path", ["/console/", "/docs", "/admin/login/", "/api/rooms", "/docs/errors"])
def test_headers_when_a_page_is_requested_then_restrict_it(server: ChatServer, path: str) -> None:
    with server.http() as http:
        headers = http.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy + ";"
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
