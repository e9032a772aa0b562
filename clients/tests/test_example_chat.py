"""docs/example_chat.html in a real headless Chromium: two people, from another origin. About eight seconds.

SCREENSHOTS=<directory> keeps pictures of it for a person to look at.
"""

from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from tests.kit.browser import Window
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

pytestmark = pytest.mark.once  # a page in Chromium


class Page(Window):
    def sign_up(self, name: str) -> None:
        email = f"{name}@example.com"
        self.fill("account", "[value=signup]", username=name, email=email, password=PASSWORD)
        self.until(lambda: self.text("#status") == f"online as {name}", "signed up")

    def write(self, content: str) -> None:
        self.one("#write [name=content]").send_keys(content, Keys.ENTER)

    def messages(self) -> list[str]:
        """Each message with the text beside it: a tick or the author."""
        return self.texts("#messages li")

    def shows(self, *messages: str) -> None:
        self.until(lambda: self.messages() == list(messages), f"{messages}")

    def offline(self, *, offline: bool) -> None:
        self.driver.set_network_conditions(offline=offline, latency=0, throughput=10_000_000)


def test_example_chat_when_two_people_use_it_then_nothing_is_lost(
    start_server: Callable[..., ChatServer], open_window: Callable[..., Page], page_origin: str
) -> None:
    server = start_server(ALLOWED_ORIGINS=page_origin)
    url = f"{page_origin}/example_chat.html?server={server.base_url}"
    alice, bob = open_window(url, Page), open_window(url, Page)
    alice.sign_up("alice")
    bob.sign_up("bobby")

    alice.fill("direct", username="bobby")
    alice.until(lambda: alice.text("#title") == "bobby", "the room is open")
    alice.write("Hello Bob!")
    alice.shows("Hello Bob!✓✓ delivered")
    bob.until(lambda: bob.texts("#rooms button") == ["alice (1 new)"], "unread")
    bob.click("#rooms button")
    bob.shows("Hello Bob!alice")
    alice.shows("Hello Bob!✓✓ read")
    bob.write("Hi Alice")
    alice.shows("Hello Bob!✓✓ read", "Hi Alicebobby")
    bob.picture("7-example")

    # Bob loses the network. Everything that both write meanwhile arrives, once and in order.
    bob.offline(offline=True)
    bob.until(lambda: bob.text("#status") == "offline", "noticed")
    alice.write("one")
    alice.write("two")
    alice.shows("Hello Bob!✓✓ read", "Hi Alicebobby", "one✓ sent", "two✓ sent")
    bob.write("three")
    assert bob.messages()[-1] == "threesending…"
    bob.offline(offline=False)
    bob.shows("Hello Bob!alice", "Hi Alice✓✓ read", "onealice", "twoalice", "three✓✓ read")
    alice.shows("Hello Bob!✓✓ read", "Hi Alicebobby", "one✓✓ read", "two✓✓ read", "threebobby")
    alice.picture("8-example-resumed")

    # A reload keeps the tab's login. A wrong password shows an error.
    alice.driver.refresh()
    alice.until(lambda: alice.texts("#rooms button") == ["bobby"], "signed in still")
    alice.click("#logout")
    alice.until(lambda: alice.text("#status") == "signed out", "signed out")
    alice.fill("account", "[value=login]", email="alice@example.com", password="wrong")
    alice.until(lambda: alice.text("#alert") == "Email or password is wrong.", "the error")
    assert [complaint for complaint in alice.complaints() if "401" not in complaint] == []
